# SPDX-License-Identifier: Apache-2.0
"""Which layers may have other types, and what is asked for then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, zip_longest

from mcuplan.ir.types import DType
from mcuplan.progress import no_bar
from mcuplan.record import Request
from mcuplan.tradeoff.sensitivity import Sensitivities, TypeChange

__all__ = ["AS_ASKED", "Mix", "Space"]

_SHARES = (0.25, 0.5, 0.75, 0.9, 1.0)  # of what all layers together save
_FIRST = (1, 3)  # tensors: the most sensitive ones
_WORTH = 0.9  # at most, of the squared error without more bits of activations


@dataclass(frozen=True, slots=True)
class Mix:
    """Layers of other types.

    Attributes:
        narrow: those of weights of 4 bits, by their place in the order of these.
        wide: tensors of more bits, by their place in the order of these.
        every: all activations have 16 bits that can.
        lean: where activations have 16 bits, weights have 8.
    """

    narrow: frozenset[int] = frozenset()
    wide: frozenset[int] = frozenset()
    every: bool = False
    lean: bool = False

    @property
    def is_wide(self) -> bool:
        """Whether activations have more bits."""
        return self.every or bool(self.wide)


AS_ASKED = Mix()
"""Nothing is changed."""


class Space:
    """The types that layers of one model may have."""

    def __init__(self, request: Request, found: Sensitivities) -> None:
        """``found``: what each change is worth, the best first."""
        self._plain = replace(request, max_loss=None, bar=no_bar)  # one bar for all
        self._error, self.fewer = found.error, found.fewer
        wide = request.dtype is DType.INT16
        self.more = () if wide else tuple(each for each in found.more if self._is_open(each))

    def _is_open(self, change: TypeChange) -> bool:
        """Whether no layer has another type already because that was asked for."""
        asked = {*self._plain.wide_layers, *self._plain.real_layers}
        return not asked.issuperset(change.layers)

    def narrower(self) -> Iterator[Mix]:
        """More and more weights of 4 bits, those first that lose least for each byte."""
        every, counts = sum(each.cost for each in self.fewer), dict[int, None]()
        for share in _SHARES:
            saved, count = 0, 0
            while count < len(self.fewer) and saved < share * every:
                saved, count = saved + self.fewer[count].cost, count + 1
            counts[count] = None
        return (Mix(narrow=frozenset(range(count))) for count in counts if count)

    def wider(self) -> Iterator[Mix]:
        """More and more bits of activations; of all layers with weights of 16 and of 8 bits."""
        for count in _FIRST if len(self.more) > max(_FIRST) else _FIRST[:1]:
            if count <= len(self.more):
                yield Mix(wide=frozenset(range(count)))
        if self._may_all_be_wide:
            yield Mix(every=True)
            yield Mix(every=True, lean=True)

    def chains(self) -> Iterator[tuple[Mix, ...]]:
        """More bits of activations of one tensor more each, the most sensitive ones first.

        First with weights of 8 bits, then with those of 16.
        """
        for lean in (True, False):
            counts = range(1, len(self.more) + 1)
            some = [Mix(wide=frozenset(range(count)), lean=lean) for count in counts]
            every = [Mix(every=True, lean=lean)] if self._may_all_be_wide else []
            yield (*some, *every)

    def mixed(self) -> Iterator[Mix]:
        """More bits of activations for weights of 8 or 4, where that errs less than these alone."""
        pairs = [
            Mix(few.narrow, wide.wide, wide.every, lean=True)
            for few in (AS_ASKED, *self.narrower())
            for wide in self.wider()
            if wide.lean or not wide.every
        ]
        gain = {each: self.error(each) / self.error(Mix(each.narrow)) for each in pairs}
        worth = sorted((p for p in pairs if gain[p] < _WORTH), key=lambda pair: gain[pair])
        some, every = ([p for p in worth if p.every is kind] for kind in (False, True))
        turns = chain.from_iterable(zip_longest(some, every))
        return (pair for pair in turns if pair is not None)

    def error(self, mix: Mix) -> float:
        """Squares of the outputs' error that are expected: those of all changes together."""
        added = sum(self.fewer[index].error for index in mix.narrow)
        wide = range(len(self.more)) if mix.every else mix.wide
        gained = sum(self.more[index].error for index in wide)
        return max(self._error + gained, self._error / 100) + added

    def neighbours(self, mix: Mix) -> Iterator[Mix]:
        """With one change more or less."""
        for index in range(len(self.fewer)):
            yield replace(mix, narrow=mix.narrow ^ {index})
        if not mix.every:
            for index in range(min(len(self.more), len(mix.wide) + 2)):
                yield self._with_wide(mix, mix.wide ^ {index})
        elif not mix.lean:
            yield replace(mix, lean=True)

    def _with_wide(self, mix: Mix, wide: frozenset[int]) -> Mix:
        """With other tensors of more bits; of all of them in one word."""
        kinds = {each.dtype for each in self.more}
        if kinds == {DType.INT16} and len(wide) == len(self.more) and self._may_all_be_wide:
            return Mix(mix.narrow, every=True, lean=True)
        return replace(mix, wide=wide, lean=bool(wide))

    @property
    def _may_all_be_wide(self) -> bool:
        """Whether that is not asked for already, or something else of some layers."""
        asked = self._plain
        wide = any(each.dtype is DType.INT16 for each in self.more)
        return wide and not asked.wide_layers and not asked.real_layers

    def asked(self, mix: Mix) -> tuple[Request, tuple[str, ...]]:
        """What is asked for, and the options beside those that there are."""
        plain = self._plain
        changes = [self.more[index] for index in sorted(mix.wide)]
        real = _names(changes, DType.FLOAT32)
        wide = [name for name in _names(changes, DType.INT16) if name not in real]
        weights = self._weights(mix, wide, real)
        options = [f"--weight-dtype {f'{n}={t}' if n else t}" for n, t in weights.items()]
        options += (f"--layer-dtype {name}=int16" for name in wide)
        options += (f"--layer-dtype {name}=float32" for name in real)
        if mix.every:
            options.append("--dtype int16")
        made = replace(
            plain,
            dtype=DType.INT16 if mix.every else plain.dtype,
            weight_dtypes={**weights, **plain.weight_dtypes},
            wide_layers=(*plain.wide_layers, *wide),
            real_layers=(*plain.real_layers, *real),
        )
        return made, tuple(options)

    def _weights(self, mix: Mix, wide: list[str], real: list[str]) -> Mapping[str, DType]:
        """Types of weights by layer, of all others under the empty name."""
        names = [each.layers[0] for each in self.fewer]
        chosen = dict.fromkeys((names[index] for index in sorted(mix.narrow)), DType.INT4)
        found = {name: dtype for name, dtype in chosen.items() if name not in real}
        rest = [name for name in dict.fromkeys(names) if name not in found]
        if mix.lean:
            found |= {name: DType.INT8 for name in rest if name in wide}
        by_layer = "" in self._plain.weight_dtypes
        if mix.every and mix.lean and not by_layer:
            return {"": DType.INT8, **found}
        if len(rest) < len(chosen) and not by_layer and not mix.every:
            return {"": DType.INT4, **dict.fromkeys(rest, DType.INT8)}
        return found


def _names(changes: list[TypeChange], dtype: DType) -> list[str]:
    """Layers of another type, once each."""
    return list(dict.fromkeys(n for each in changes if each.dtype is dtype for n in each.layers))
