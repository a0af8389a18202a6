# SPDX-License-Identifier: Apache-2.0
"""Which changes of a model explain what differs between two reports of it.

A layer changed by itself, or it follows from what it reads: a convolution whose input has more
channels has more weights, and it is the layer in front that was widened. Changes that meet in one
layer (both sides of an Add) are one change.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcuplan.record import Change

__all__ = ["Layers", "Side", "changes", "matched", "shape_changes"]

Row = Mapping[str, Any]
Layers = tuple[Row, ...]
Pair = tuple[Row | None, Row | None]  # of the layer before and now; None: there was, or is, none
_COUNT = re.compile(r" of \d+")  # of elements, in the name of an operator: follows from its input
_NO_SAY = ("max-", "baseline", "fail-on", "warn-at")  # options that no plan of the model asks for


@dataclass(frozen=True, slots=True)
class Side:
    """What of a report tells why it differs: layers and inputs, the tool, and what was asked."""

    layers: Layers
    inputs: Mapping[str, Sequence[int]]
    tool_version: str
    asked: tuple[str, ...]


@dataclass(slots=True)
class _Found:
    """One change while its layers are collected."""

    name: str
    what: str
    follow: list[str] = field(default_factory=list)
    flash_delta: int = 0


def matched(old: Layers, new: Layers) -> list[Pair]:
    """Layers before and now, in today's order, then those that are gone.

    By name, the k-th of several of one name with the k-th; then those with other names that are
    alike in all that counts; then those of one operator, where there are as many now as before.
    """
    before, after = _by_name(old), _by_name(new)
    found: dict[tuple[str, int], Row] = {key: before[key] for key in after if key in before}
    for alike in (_sizes, _operator):
        lost = {
            key: row for key, row in before.items() if all(row is not r for r in found.values())
        }
        left = {key: row for key, row in after.items() if key not in found}
        counts = [Counter(map(alike, rows.values())) for rows in (lost, left)]
        for key, row in left.items():
            like = [k for k in lost if alike(lost[k]) == alike(row)]
            if like and (alike is _sizes or counts[0][alike(row)] == counts[1][alike(row)]):
                found[key] = lost.pop(like[0])
    pairs: list[Pair] = [(found.get(key), row) for key, row in after.items()]
    taken = {id(row) for row in found.values()}
    return pairs + [(row, None) for row in before.values() if id(row) not in taken]


def _by_name(layers: Layers) -> dict[tuple[str, int], Row]:
    seen: Counter[str] = Counter()
    found = {}
    for layer in layers:
        name = layer["name"]
        found[name, seen[name]] = layer
        seen[name] += 1
    return found


def _sizes(row: Row) -> object:
    return row.get("op"), tuple(row["output_shape"]), row["weights_bytes"]


def _operator(row: Row) -> object:
    return row.get("op")


def changes(old: Side, new: Side, ram_delta: int, flash_delta: int) -> tuple[Change, ...]:
    """Changes of the model, the tool and what was asked, the weightiest first.

    A change that is the only one explains all of ``ram_delta`` and ``flash_delta``; of several
    each explains what the weights of its layers differ by, and RAM is explained by all together.
    """
    found = [_Found("", what) for what in (*_tools(old, new), *_options(old, new))]
    made = [Change((), each.what, (), None, 0) for each in found]
    made += _of_layers(old, new)
    if len(made) == 1:
        one = made[0]
        return (Change(one.layers, one.what, one.follow, ram_delta, flash_delta),)
    return tuple(sorted(made, key=lambda each: -each.flash_delta))


def _tools(old: Side, new: Side) -> Iterator[str]:
    if old.tool_version != new.tool_version:
        yield f"mcuplan {old.tool_version} -> {new.tool_version}"


def _options(old: Side, new: Side) -> Iterator[str]:
    """Options that were given then and are not now, and the other way round; "" where unknown."""
    if not (old.asked and new.asked):
        return
    before, after = _given(old.asked), _given(new.asked)
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            one, two = (" ".join(each.get(name, ("not given",))) for each in (before, after))
            yield f"--{name} {one} -> {two}"


def _given(words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    name = ""
    for word in words[1:]:
        if word.startswith("--"):
            name = word[2:]
            found.setdefault(name, ())
        elif name:
            found[name] += (word,)
    return {n: values or ("on",) for n, values in found.items() if not n.startswith(_NO_SAY)}


def _of_layers(old: Side, new: Side) -> list[Change]:
    """Changes of single layers and inputs, with the layers that follow from them."""
    roots, groups = _Roots(), dict[str, int]()  # of tensors: which change they follow from
    for name, shape in new.inputs.items():
        before = old.inputs.get(name, shape)
        if list(before) != list(shape):
            groups[name] = roots.add(name, [f"input shape {_shape(before)} -> {_shape(shape)}"])
    for was, now in matched(old.layers, new.layers):
        row = now or was
        assert row is not None
        delta = (now or {}).get("weights_bytes", 0) - (was or {}).get("weights_bytes", 0)
        said, read = list(_own(was, now)), []
        if was is not None and now is not None and not _same_inputs(was, now):
            read = [groups[name] for name in now.get("inputs", ()) if name in groups]
            read = read or roots.latest()
        if said:
            group = roots.add(row["name"], said, delta)
        elif read:
            group = roots.join(read, row["name"], delta)
        else:
            continue
        if row.get("output") and _output_changed(was, now):
            groups[row["output"]] = group
    return roots.made()


def _output_changed(old: Row | None, new: Row | None) -> bool:
    return old is None or new is None or list(old["output_shape"]) != list(new["output_shape"])


class _Roots:
    """Changes, of which some turn out to be one."""

    def __init__(self) -> None:
        self._found: list[_Found] = []
        self._one: list[int] = []  # of each change: an earlier one that it belongs to, or itself

    def add(self, name: str, said: Sequence[str], delta: int = 0) -> int:
        self._found.append(_Found(name, ", ".join(said), flash_delta=delta))
        self._one.append(len(self._one))
        return self._one[-1]

    def latest(self) -> list[int]:
        """The last change before a layer, which it follows from as far as can be told."""
        return self._one[-1:]

    def join(self, groups: Sequence[int], follower: str, delta: int) -> int:
        first = min(map(self._first, groups))
        for group in groups:
            self._one[self._first(group)] = first
        self._found[first].follow.append(follower)
        self._found[first].flash_delta += delta
        return first

    def _first(self, group: int) -> int:
        while self._one[group] != group:
            group = self._one[group]
        return group

    def made(self) -> list[Change]:
        found = []
        for first in dict.fromkeys(map(self._first, range(len(self._one)))):
            each = [f for i, f in enumerate(self._found) if self._first(i) == first]
            follow = tuple(name for f in each for name in f.follow)
            what = each[0].what
            if len(each) > 1:
                what = "; ".join(f"{f.name} {f.what}" if i else f.what for i, f in enumerate(each))
            names = tuple(f.name for f in each)
            found.append(Change(names, what, follow, None, sum(f.flash_delta for f in each)))
        return found


def _own(old: Row | None, new: Row | None) -> Iterator[str]:
    """What of a layer was changed that does not follow from its inputs."""
    if old is None:
        yield "new layer"
        return
    if new is None:
        yield "layer is gone"
        return
    same, kinds = _same_inputs(old, new), [str(row.get("op")) for row in (old, new)]
    if kinds[0] != kinds[1] and (same or len({_COUNT.sub("", kind) for kind in kinds}) == 2):
        yield " -> ".join(kinds)
    said = shape_changes(old["output_shape"], new["output_shape"])
    if same:
        yield from said
    elif said and said[0].startswith("output channels") and _chooses_channels(old, new):
        yield said[0]
    for word, key in (("weights", "weights_dtype"), ("activations", "output_type")):
        types = [_type(row.get(key)) for row in (old, new)]
        if all(types) and types[0] != types[1]:
            yield f"{word} {' -> '.join(types)}"


def _type(value: Any) -> str:
    return str(value.get("dtype", "")) if isinstance(value, Mapping) else str(value or "")


def _same_inputs(old: Row, new: Row) -> bool:
    """Whether a layer reads what it read, by shapes where both reports have them."""
    before, now = (row.get("input_shapes") for row in (old, new))
    if before and now:
        return [list(shape) for shape in before] == [list(shape) for shape in now]
    return bool(old.get("input_bytes") == new.get("input_bytes"))


def _chooses_channels(old: Row, new: Row) -> bool:
    """Whether the layer has its own number of output channels, instead of its input's.

    Weights of a layer that has its input's grow with them; others with the product of both.
    """
    before, after = old.get("parameters", 0), new.get("parameters", 0)
    channels = [row["output_shape"][-1] for row in (old, new)]
    return bool(after >= channels[1] and before * channels[1] != after * channels[0])


def shape_changes(old: Sequence[int], new: Sequence[int]) -> list[str]:
    """``output channels 56 -> 64``, ``output rows 32 -> 28``; empty where nothing changed."""
    if list(old) == list(new):
        return []
    if len(old) != len(new):
        return [f"output shape {_shape(old)} -> {_shape(new)}"]
    last = len(new) - 1
    spatial = {1: "rows", 2: "columns"} if len(new) == 4 else {}
    names = {i: f"output {spatial.get(i, f'axis {i}')}" for i in range(last)}
    names[last] = "output channels"
    changed = [i for i in (last, *range(last)) if old[i] != new[i]]
    return [f"{names[i]} {old[i]} -> {new[i]}" for i in changed]


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
