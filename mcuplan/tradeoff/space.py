# SPDX-License-Identifier: Apache-2.0
"""Which layers may have other types, and what is asked for then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest

from mcuplan.ir.types import DType
from mcuplan.progress import no_bar
from mcuplan.record import Request
from mcuplan.tradeoff.sensitivity import BLOCK, Sensitivities, TypeChange

__all__ = ["AS_ASKED", "Mix", "Price", "Space"]

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
        blocks: weights of 4 bits lie on scales of blocks, not of output channels.
    """

    narrow: frozenset[int] = frozenset()
    wide: frozenset[int] = frozenset()
    every: bool = False
    lean: bool = False
    blocks: bool = False


AS_ASKED = Mix()
"""Nothing is changed."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a mix is expected to take: weights saved, more cycles of those, what becomes wider."""

    saved_bytes: int
    cycles: float
    macs: int


class Space:
    """The types that layers of one model may have."""

    def __init__(self, request: Request, found: Sensitivities) -> None:
        """``found``: what each change is worth, the best first."""
        self._plain = replace(request, max_loss=None, bar=no_bar)  # one bar for all
        self._error, self._cycles, self.fewer = found.error, found.cycles, found.fewer
        wide = request.dtype is DType.INT16
        self.more = () if wide else tuple(each for each in found.more if self._is_open(each))

    def _is_open(self, change: TypeChange) -> bool:
        """Whether no layer has another type already because that was asked for."""
        asked = {*self._plain.wide_layers, *self._plain.real_layers}
        return not asked.issuperset(change.layers)

    def narrower(self) -> Iterator[Mix]:
        """More and more weights of 4 bits, those first that lose least for each byte.

        Of all layers, and of those that take no larger share of cycles for it than they save of
        the weights.
        """
        every = range(len(self.fewer))
        quick = [index for index in every if self._is_quick(self.fewer[index])]
        mixes = (Mix(narrow=some) for order in (every, quick) for some in self._parts(order))
        return iter(dict.fromkeys(mixes))

    def _is_quick(self, change: TypeChange) -> bool:
        """Whether a layer of weights of 4 bits takes cycles in proportion."""
        weights = sum(each.cost for each in self.fewer)
        return change.cycles * weights <= change.cost * self._cycles

    def _parts(self, order: Sequence[int]) -> Iterator[frozenset[int]]:
        """The first layers of an order, by shares of what all of it save."""
        every = sum(self.fewer[index].cost for index in order)
        for share in _SHARES if every else ():
            saved, count = 0, 0
            while count < len(order) and saved < share * every:
                saved, count = saved + self.fewer[order[count]].cost, count + 1
            yield frozenset(order[:count])

    def blocked(self) -> Iterator[Mix]:
        """Weights of 4 bits on scales of blocks, where that errs less than on those of channels."""
        for mix in self.narrower() if self._may_have_blocks else ():
            made = replace(mix, blocks=True)
            if self.error(made) < _WORTH * self.error(mix):
                yield made

    @property
    def _may_have_blocks(self) -> bool:
        """Whether none are asked for, which would be those of all layers."""
        few = DType.INT4 in self._plain.weight_dtypes.values()
        return self._plain.weight_block is None and not few

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
        added = sum(self._added(self.fewer[index], mix) for index in mix.narrow)
        wide = range(len(self.more)) if mix.every else mix.wide
        gained = sum(self.more[index].error for index in wide)
        return max(self._error + gained, self._error / 100) + added

    def _added(self, change: TypeChange, mix: Mix) -> float:
        """The error of fewer bits: of activations of 16 bits weights lie on no blocks."""
        if change.in_blocks is None or mix.every or not mix.blocks:
            return change.error
        return change.in_blocks

    def price(self, mix: Mix) -> Price:
        """What a mix is expected to take beside what was asked for."""
        fewer = [self.fewer[index] for index in mix.narrow]
        wide = range(len(self.more)) if mix.every else mix.wide
        return Price(
            sum(each.cost for each in fewer),
            sum(each.cycles for each in fewer),
            sum(self.more[index].cost for index in wide),
        )

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
        if mix.blocks:
            options.append(f"--weight-block {BLOCK}")
        made = replace(
            plain,
            dtype=DType.INT16 if mix.every else plain.dtype,
            weight_dtypes={**weights, **plain.weight_dtypes},
            weight_block=BLOCK if mix.blocks else plain.weight_block,
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
