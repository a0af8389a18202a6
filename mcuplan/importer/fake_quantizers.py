# SPDX-License-Identifier: Apache-2.0
"""Roundings that a model writes out in real numbers, as QuantizeLinear and DequantizeLinear.

QKeras exports ``scale * clip(round(x / scale))`` as Mul, Round, Clip and Mul, or with Floor in
place of Round, often as ``x + (that - x)``, which let gradients pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.importer.normal_forms import live_only
from mcuplan.importer.structure import FileNode
from mcuplan.ir.builder import Constant, OnnxNode
from mcuplan.ir.types import Array, DType

__all__ = ["with_pairs"]

_NEAR = 1e-5  # of the scale, by which float32 factors are off one another
_OPSET = 13
_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True, slots=True)
class _Steps:
    """What a tensor is of a tensor ``x``.

    Not ``whole``: ``x * factor + offset``, within ``low`` and ``high``. Whole: of that rounded,
    ``n``, within ``low`` and ``high``, ``step * (n + more)``. ``away``: less ``x``.
    """

    x: str
    factor: float = 1.0
    offset: float = 0.0
    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    step: float = 1.0
    more: float = 0.0
    away: bool = False

    def times(self, by: float) -> _Steps | None:
        """Multiplied by a number above 0."""
        if not 0.0 < by < math.inf or self.away:
            return None
        if self.whole:
            return replace(self, step=self.step * by)
        ends = (self.low * by, self.high * by)
        return replace(
            self, factor=self.factor * by, offset=self.offset * by, low=ends[0], high=ends[1]
        )

    def plus(self, number: float) -> _Steps | None:
        """With a number added."""
        if not math.isfinite(number) or self.away:
            return None
        if self.whole:
            return replace(self, more=self.more + number / self.step)
        ends = (self.low + number, self.high + number)
        return replace(self, offset=self.offset + number, low=ends[0], high=ends[1])

    def within(self, low: float, high: float) -> _Steps | None:
        """Cut at numbers."""
        if self.away:
            return None
        if self.whole:
            low, high = (end / self.step - self.more for end in (low, high))
        low, high = (min(max(end, self.low), self.high) for end in (low, high))
        return replace(self, low=low, high=high)

    def rounded(self, *, down: bool) -> _Steps | None:
        """To whole numbers; ``down``: to the next lower one, which is to nearest of half less."""
        if self.whole or self.away:
            return None
        made = replace(self, whole=True)
        return replace(made, offset=self.offset - 0.5) if down else made

    @property
    def shift(self) -> float:
        """What is added to x in front of the rounding, in steps: 0, or half a step less."""
        return self.offset - round(self.offset + _NEAR)

    @property
    def ends(self) -> tuple[int, int] | None:
        """Least and largest step of a grid with 0 at 0 on which the values lie, if they do."""
        zero = round(self.offset + _NEAR)
        near = abs(self.step * self.factor - 1.0) < _NEAR and abs(self.more + zero) < 0.01
        if (
            not self.whole
            or self.away
            or not near
            or min(abs(self.shift), abs(self.shift + 0.5)) > _NEAR
        ):
            return None
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            return None
        ends = round(self.low), round(self.high)
        exact = max(abs(self.low - ends[0]), abs(self.high - ends[1])) < 0.01
        return (ends[0] - zero, ends[1] - zero) if exact and ends[0] < ends[1] else None


def with_pairs(
    nodes: Sequence[FileNode], constants: dict[str, Constant], outputs: Sequence[str]
) -> list[FileNode]:
    """The nodes with pairs in place of such roundings; ``constants`` gets those of the pairs.

    As they are where most layers have none: what rounds there is no quantizer of the network.
    """
    known = _Known(constants)
    made, pairs = list[FileNode](), 0
    for file_node in nodes:
        steps = None if file_node.refused else known.learn(file_node.node)
        pair = None if steps is None else _pair(steps, file_node.node, constants)
        pairs += pair is not None
        made += [file_node] if pair is None else [replace(file_node, node=each) for each in pair]
    made = live_only(made, outputs)
    kinds = [file_node.node.op_type for file_node in made]
    layers = sum(kind in _LAYERS for kind in kinds)
    enough = kinds.count("QuantizeLinear") >= max(1, layers - 1)
    return made if pairs and enough else list(nodes)


class _Known:
    """What is known of tensors, by name."""

    def __init__(self, constants: Mapping[str, Constant]) -> None:
        self._constants = constants
        self._steps: dict[str, tuple[_Steps, ...]] = {}

    def learn(self, node: OnnxNode) -> _Steps | None:
        """What a node makes, if it ends such a rounding."""
        rule = _RULES.get(node.op_type) if not node.domain else None
        if rule is None or len(node.outputs) != 1:
            return None
        found = tuple(filter(None, rule(self, node)))
        self._steps[node.outputs[0]] = found
        return next((each for each in found if each.ends is not None), None)

    def of(self, name: str) -> tuple[_Steps, ...]:
        """What a tensor is of others, and of itself."""
        if not name or name in self._constants:
            return ()
        return (*self._steps.get(name, ()), _Steps(name))

    def number(self, name: str) -> float:
        """A constant of one value; nan where it is another tensor."""
        value = self._constants.get(name)
        if value is None or value.data.size != 1 or value.data.dtype.kind != "f":
            return math.nan
        return float(value.data.reshape(-1)[0])

    def pairs(self, node: OnnxNode) -> Iterator[tuple[str, float]]:
        """A tensor and the constant that it meets, on either side."""
        a, b = node.input(0), node.input(1)
        yield from ((a, self.number(b)), (b, self.number(a)))


Rule = Callable[[_Known, OnnxNode], Iterator[_Steps | None]]


def _multiplied(known: _Known, node: OnnxNode) -> Iterator[_Steps | None]:
    yield from (each.times(by) for name, by in known.pairs(node) for each in known.of(name))


def _divided(known: _Known, node: OnnxNode) -> Iterator[_Steps | None]:
    by = known.number(node.input(1))
    yield from (each.times(1.0 / by if by else math.nan) for each in known.of(node.input(0)))


def _negated(known: _Known, node: OnnxNode) -> Iterator[_Steps | None]:
    yield _Steps(node.input(0), factor=0.0, away=True)


def _added(known: _Known, node: OnnxNode) -> Iterator[_Steps | None]:
    """A number, or what ``x`` is less or more."""
    yield from (each.plus(number) for name, number in known.pairs(node) for each in known.of(name))
    for one, other in ((0, 1), (1, 0)):
        for each in known.of(node.input(one)):
            if each.away and each.whole and each.x == node.input(other):
                yield replace(each, away=False)
        for each in known.of(node.input(other)):
            gone = any(e.away and not e.whole and e.x == each.x for e in known.of(node.input(one)))
            if gone and each.whole and not each.away:
                yield replace(each, away=True)


def _subtracted(known: _Known, node: OnnxNode) -> Iterator[_Steps | None]:
    number = known.number(node.input(1))
    yield from (each.plus(-number) for each in known.of(node.input(0)))
    for each in known.of(node.input(0)):
        if each.whole and not each.away and each.x == node.input(1):
            yield replace(each, away=True)


def _rounded(known: _Known, node: OnnxNode) -> Iterator[_Steps | None]:
    down = node.op_type == "Floor"
    yield from (each.rounded(down=down) for each in known.of(node.input(0)))


def _clipped(known: _Known, node: OnnxNode) -> Iterator[_Steps | None]:
    ends = [-math.inf, math.inf]
    for k, key in enumerate(("min", "max")):
        name = node.input(1 + k)
        ends[k] = known.number(name) if name else node.get_float(key, ends[k])
    if not any(map(math.isnan, ends)):
        yield from (each.within(*ends) for each in known.of(node.input(0)))


def _limited(known: _Known, node: OnnxNode) -> Iterator[_Steps | None]:
    """Min, Max and Relu."""
    if node.op_type == "Relu":
        yield from (each.within(0.0, math.inf) for each in known.of(node.input(0)))
        return
    for name, end in known.pairs(node):
        if not math.isnan(end) and len(node.inputs) == 2:
            ends = (-math.inf, end) if node.op_type == "Min" else (end, math.inf)
            yield from (each.within(*ends) for each in known.of(name))


_RULES: Mapping[str, Rule] = {
    "Add": _added,
    "Clip": _clipped,
    "Div": _divided,
    "Floor": _rounded,
    "Max": _limited,
    "Min": _limited,
    "Mul": _multiplied,
    "Neg": _negated,
    "Relu": _limited,
    "Round": _rounded,
    "Sub": _subtracted,
}


def _pair(steps: _Steps, node: OnnxNode, constants: dict[str, Constant]) -> list[OnnxNode] | None:
    """QuantizeLinear, Clip where the type has more integers, and DequantizeLinear."""
    assert steps.ends is not None
    low, high = steps.ends
    zero, dtype = 0, DType.INT16
    for each in (DType.INT8, DType.UINT8):
        if dtype is DType.INT16 and each.low <= low and high <= each.high:
            dtype = each
    if dtype is DType.INT16 and high - low <= DType.INT8.steps and low <= 0 <= high:
        zero, dtype = DType.INT8.low - low, DType.INT8
    if not (dtype.low <= low + zero and high + zero <= dtype.high):
        return None
    y, opset = node.outputs[0], max(_OPSET, node.opset)
    made: list[OnnxNode] = []

    def constant(stem: str, value: Array) -> str:
        constants[f"{y}\0{stem}"] = Constant(value)
        return f"{y}\0{stem}"

    def add(op_type: str, *inputs: str, output: str) -> str:
        made.append(
            replace(
                node, op_type=op_type, opset=opset, inputs=inputs, outputs=(output,), attributes={}
            )
        )
        return output

    x, step = steps.x, np.float32(1.0 / steps.factor)
    if abs(steps.shift) > _NEAR:
        half = constant("half", np.array(steps.shift * step, np.float32))
        x = add("Add", x, half, output=f"{y}\0shifted")
    grid = constant("step", np.array(step)), constant("zero", np.array(zero, dtype.numpy))
    x = add("QuantizeLinear", x, *grid, output=f"{y}\0whole")
    if (low + zero, high + zero) != (dtype.low, dtype.high):
        stems = (("low", low + zero), ("high", high + zero))
        ends = [constant(stem, np.array(end, dtype.numpy)) for stem, end in stems]
        x = add("Clip", x, *ends, output=f"{y}\0within")
    add("DequantizeLinear", x, *grid, output=y)
    return made
