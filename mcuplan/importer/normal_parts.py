# SPDX-License-Identifier: Apache-2.0
"""Parts of normalizations that a model writes out, known by what they compute.

Each tensor that is one of these parts of a tensor ``x`` is known by a `Part`; a rule for each
operator says what it makes of parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.ir.builder import Constant, OnnxNode

__all__ = ["Part", "Parts", "ShapeOf"]


ShapeOf = Callable[[str], tuple[int, ...] | None]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of ``x``, and for all that is behind a norm, how that is made.

    ``what``: "x"; "mean"; "away", x less its mean; "mean2", its square; "power", of x or of what
    is away; "sum" of powers; "norm"; "inverse"; "scaled", x times the inverse; "middle", the mean
    times it; "rest", an offset less that; "unit"; "flat", x in groups; "shape".
    """

    what: str
    x: str
    axes: tuple[int, ...] | None = None
    kept: bool = True
    centered: bool = False
    power: int = 2
    mean: bool = True  # the sum is divided by the number of values
    scale: float = 1.0  # and multiplied by this
    epsilon: float = 0.0
    rule: str = "inside"
    gain: str = ""
    offset: str = ""
    groups: int = 1

    def numerator(self) -> Part:
        """What a norm of this kind divides."""
        if self.centered:
            return Part("away", self.x, self.axes)
        return Part("x", self.x)


def _subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    return [(), *((name,) for name in names), tuple(names)]


class Parts:
    """What is known of tensors, by name."""

    def __init__(
        self, constants: Mapping[str, Constant], shape_of: ShapeOf, readers: Mapping[str, int]
    ) -> None:
        self._constants, self._readers = constants, readers
        self._known: dict[str, Part] = {}
        self._shape_of = shape_of
        self._plain: tuple[str, ...] = ()
        self.found = False

    def learn(self, node: OnnxNode) -> Part | None:
        """What a node makes, if it is a part of a normalization."""
        rule = _RULES.get(node.op_type) if not node.domain else None
        if rule is None or len([n for n in node.outputs if n]) != 1:
            return None
        part = None
        for plain in _subsets(node.inputs[:2]):  # what is a part may be an x all the same
            self._plain = plain
            part = part or rule(self, node)
        self._plain = ()
        if part is not None:
            self._known[node.outputs[0]] = part
            self.found |= part.what == "unit"
        return part

    def of(self, name: str) -> Part | None:
        """A part; a tensor that is none is an ``x``."""
        if not name or name in self._constants:
            return None
        plain = Part("x", name)
        return plain if name in self._plain else self._known.get(name, plain)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a tensor, where ONNX can tell."""
        return self._shape_of(name)

    def number(self, name: str) -> float | None:
        """A constant of one value."""
        value = self._constants.get(name)
        if value is None or value.data.size != 1 or value.data.dtype.kind not in "fiu":
            return None
        return float(value.data.reshape(-1)[0])

    def integers(self, node: OnnxNode, index: int, key: str) -> tuple[int, ...] | None:
        """Integers of an input or an attribute, sorted; None: absent, or computed."""
        if node.input(index):
            value = self._constants.get(node.input(index))
            return None if value is None else tuple(int(v) for v in value.data.reshape(-1))
        return node.get_ints(key, ()) if key in node.attributes else None

    def uniform(self, name: str, number: float) -> bool:
        """Whether a constant is one number everywhere."""
        value = self._constants.get(name)
        return value is not None and bool((value.data == number).all())

    def takes(self, unit: str, other: str) -> bool:
        """Whether a constant is a gain or offset of what is normalized, which none reads else."""
        return other in self._constants and self._readers[unit] == 1

    def is_constant(self, name: str) -> bool:
        """Whether a tensor is a constant."""
        return name in self._constants


Rule = Callable[[Parts, OnnxNode], Part | None]


def _same(parts: Parts, node: OnnxNode) -> Part | None:
    """Identity, and Cast between real types."""
    if node.op_type == "Cast" and node.get_int("to", 1) not in (1, 10, 11, 16):
        return None
    return parts.of(node.input(0))


def _expanded(parts: Parts, node: OnnxNode) -> Part | None:
    """Values of a group for each of its elements."""
    part = parts.of(node.input(0))
    return part if part is not None and part.what in ("mean", "norm", "inverse", "sum") else None


def _unsqueezed(parts: Parts, node: OnnxNode) -> Part | None:
    """Axes that a sum has dropped are there again."""
    part, axes = parts.of(node.input(0)), parts.integers(node, 1, "axes")
    if part is None or part.kept or axes is None or part.axes is None:
        return None
    return replace(part, kept=True) if sorted(axes) == list(part.axes) else None


def _reduced(parts: Parts, node: OnnxNode) -> Part | None:
    """A mean, or a sum of powers."""
    kind, part = node.op_type, parts.of(node.input(0))
    if part is None or part.what not in ("x", "away", "power"):
        return None
    axes = parts.integers(node, 1, "axes")
    if axes is None and (node.input(1) or node.get_int("noop_with_empty_axes", 0)):
        return None
    axes = None if axes is None else tuple(sorted(axes))
    kept = bool(node.get_int("keepdims", 1))
    mean = kind == "ReduceMean"
    if part.what == "power":
        if kind not in ("ReduceMean", "ReduceSum") or (part.centered and part.axes != axes):
            return None
        what = "sum" if part.power == 2 else "norm"
        return replace(part, what=what, axes=axes, kept=kept, mean=mean)
    if mean:
        return Part("mean", part.x, axes, kept) if part.what == "x" else None
    power = 1 if kind == "ReduceL1" else 2
    if kind == "ReduceSum" or (part.what == "away" and part.axes != axes):
        return None
    what = "sum" if kind == "ReduceSumSquare" else "norm"
    return Part(what, part.x, axes, kept, part.what == "away", power, mean=False)


def _power_of(part: Part | None, power: int) -> Part | None:
    if part is not None and part.what == "mean" and power == 2:
        return replace(part, what="mean2")
    if part is None or part.what not in ("x", "away"):
        return None
    return replace(part, what="power", centered=part.what == "away", power=power)


def _absolute(parts: Parts, node: OnnxNode) -> Part | None:
    return _power_of(parts.of(node.input(0)), 1)


def _pow(parts: Parts, node: OnnxNode) -> Part | None:
    """A square, a root, or an inverse root."""
    part, exponent = parts.of(node.input(0)), parts.number(node.input(1))
    if exponent == 2.0:
        return _power_of(part, 2)
    if exponent not in (0.5, -0.5) or part is None or part.what != "sum":
        return None
    return replace(part, what="norm" if exponent == 0.5 else "inverse")


def _sqrt(parts: Parts, node: OnnxNode) -> Part | None:
    part = parts.of(node.input(0))
    return replace(part, what="norm") if part is not None and part.what == "sum" else None


def _reciprocal(parts: Parts, node: OnnxNode) -> Part | None:
    part = parts.of(node.input(0))
    return replace(part, what="inverse") if part is not None and part.what == "norm" else None


def _pairs(parts: Parts, node: OnnxNode) -> list[tuple[str, str]]:
    """Both inputs, in both orders."""
    first, second = node.input(0), node.input(1)
    return [(first, second), (second, first)] if len(node.inputs) == 2 else []


def _added(parts: Parts, node: OnnxNode) -> Part | None:
    for one, other in _pairs(parts, node):
        part, number, second = parts.of(one), parts.number(other), parts.of(other)
        if part is None:
            continue
        if part.what == "unit" and not part.offset and parts.takes(one, other):
            return replace(part, offset=other)
        if number is not None and number > 0 and part.what in ("sum", "norm"):
            if part.epsilon or (part.what == "sum" and part.power != 2):
                return None
            rule = "inside" if part.what == "sum" else "added"
            return replace(part, epsilon=number, rule=rule)
        if second is not None and part.what == "scaled" and second.what == "rest":
            same = replace(second, what="scaled", offset="") == part
            return replace(second, what="unit") if same else None
    return None


def _least(parts: Parts, node: OnnxNode) -> Part | None:
    """Max with a small number, or Clip from it."""
    if node.op_type == "Clip":
        low, high = parts.number(node.input(1)), parts.number(node.input(2))
        low = low if node.input(1) else node.attributes.get("min")  # type: ignore[assignment]
        if (node.input(2) and (high is None or high < 3e38)) or "max" in node.attributes:
            return None
        pairs = [(node.input(0), low)]
    else:
        pairs = [(one, parts.number(other)) for one, other in _pairs(parts, node)]
    for one, number in pairs:
        part = parts.of(one)
        if part is None or number is None or not number > 0 or part.epsilon:
            continue
        if part.what == "norm":
            return replace(part, epsilon=float(number), rule="least")
        if part.what == "sum" and part.scale == 1.0:
            return replace(part, epsilon=float(np.sqrt(number)), rule="least")
    return None


def _subtracted(parts: Parts, node: OnnxNode) -> Part | None:
    one, other = parts.of(node.input(0)), parts.of(node.input(1))
    if other is None:
        return None
    if one is None:  # a constant
        return replace(other, what="rest", offset=node.input(0)) if other.what == "middle" else None
    if other.what == "mean" and other.kept and one == Part("x", other.x):
        return Part("away", other.x, other.axes)
    if other.what == "mean2" and one.what == "sum" and other.kept and one.mean:
        plain = Part("sum", other.x, other.axes)
        return replace(one, centered=True) if one == plain else None
    if other.what == "middle" and one == replace(other, what="scaled"):
        return replace(one, what="unit")
    return None


def _is_sum(part: Part) -> bool:
    """Whether a part is a sum of powers of which no root is left to take."""
    return part.what == "sum" or (part.what == "norm" and part.power == 1)


def _multiplied(parts: Parts, node: OnnxNode) -> Part | None:
    if parts.of(node.input(0)) == parts.of(node.input(1)):
        return _power_of(parts.of(node.input(0)), 2)
    for one, other in _pairs(parts, node):
        part, second, number = parts.of(one), parts.of(other), parts.number(other)
        if part is None:
            continue
        if part.what == "unit" and not (part.gain or part.offset) and parts.takes(one, other):
            return replace(part, gain=other)
        if _is_sum(part) and number is not None and number > 0 and not part.epsilon:
            return replace(part, scale=part.scale * number)
        if part.what != "inverse" or not part.kept:
            continue
        if second is None and not part.gain and parts.is_constant(other):
            return replace(part, gain=other)
        if second == part.numerator():
            return replace(part, what="unit")
        if second == Part("x", part.x):
            return replace(part, what="scaled")
        if second == Part("mean", part.x, part.axes):
            return replace(part, what="middle")
    return None


def _divided(parts: Parts, node: OnnxNode) -> Part | None:
    one, other, number = (*map(parts.of, node.inputs), parts.number(node.input(1)))
    if one is not None and _is_sum(one) and number is not None and number > 0:
        return None if one.epsilon else replace(one, scale=one.scale / number)
    if other is None or other.what != "norm":
        return None
    if parts.number(node.input(0)) == 1.0:
        return replace(other, what="inverse")
    if not other.kept or one != other.numerator():
        return None
    return replace(other, what="unit")


def _shape(parts: Parts, node: OnnxNode) -> Part | None:
    part = parts.of(node.input(0))
    plain = part is not None and part.what == "x" and not node.attributes
    return replace(part, what="shape") if part is not None and plain else None


def _reshaped(parts: Parts, node: OnnxNode) -> Part | None:
    """Groups of channels as channels, and back to the shape that x has."""
    part, sizes = parts.of(node.input(0)), parts.integers(node, 1, "shape")
    if part is None:
        return None
    if part.what == "x" and sizes is not None and len(sizes) == 3 and sizes[0] in (0, 1):
        return replace(part, what="flat", groups=sizes[1]) if sizes[1] > 1 else None
    if part.what != "grouped":
        return None
    whole = parts.of(node.input(1)) == Part("shape", part.x)
    whole = whole or (sizes is not None and parts.shape(part.x) == sizes)
    return replace(part, what="unit") if whole else None


def _instances(parts: Parts, node: OnnxNode) -> Part | None:
    """InstanceNormalization of groups of channels, without gains of its own."""
    part = parts.of(node.input(0))
    if part is None or part.what != "flat":
        return None
    if not (parts.uniform(node.input(1), 1.0) and parts.uniform(node.input(2), 0.0)):
        return None
    return replace(part, what="grouped", centered=True, epsilon=node.get_float("epsilon", 1e-5))


_RULES: Mapping[str, Rule] = {
    "Abs": _absolute,
    "Add": _added,
    "Cast": _same,
    "Clip": _least,
    "Div": _divided,
    "Expand": _expanded,
    "Identity": _same,
    "InstanceNormalization": _instances,
    "Max": _least,
    "Mul": _multiplied,
    "Pow": _pow,
    "Reciprocal": _reciprocal,
    "ReduceL1": _reduced,
    "ReduceL2": _reduced,
    "ReduceMean": _reduced,
    "ReduceSum": _reduced,
    "ReduceSumSquare": _reduced,
    "Reshape": _reshaped,
    "Shape": _shape,
    "Sqrt": _sqrt,
    "Sub": _subtracted,
    "Unsqueeze": _unsqueezed,
}
