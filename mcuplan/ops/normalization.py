# SPDX-License-Identifier: Apache-2.0
"""How ONNX nodes of normalizations are read: as one operator over axes of any layout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, Constant, OnnxNode, plain
from mcuplan.ops._normal_places import Place, along, place_of, spread, wide
from mcuplan.ops._read import inner, normal_axis
from mcuplan.ops._steps import Steps
from mcuplan.ops.arithmetic import read_two
from mcuplan.ops.batch_norm import read_batch_norm
from mcuplan.ops.movement import Reshape
from mcuplan.ops.normalize import Epsilon, Normalize

__all__ = ["READERS", "Norm", "add_normalized"]

_NEAR_0 = float(np.finfo(np.float32).tiny)  # what stands for 0 where a file divides by it


@dataclass(frozen=True, slots=True)
class Norm:
    """What is normalized: the axes of the model's tensor, and how; see `Normalize`.

    ``groups`` of the channels on axis 1, which is then among the axes. ``divisor``: by default
    as many as the values.
    """

    axes: Sequence[int]
    epsilon: float = 1e-5
    divisor: float = 0
    centered: bool = True
    power: int = 2
    rule: Epsilon = Epsilon.INSIDE
    groups: int = 1


def add_normalized(
    node: OnnxNode,
    build: Builder,
    norm: Norm,
    gain: Constant | str = "",
    offset: Constant | str = "",
) -> None:
    """The first input normalized, times a gain, plus an offset; each a value or a name.

    What cannot be part of the operator, since it is computed or varies along other axes, follows
    as a product and a sum.
    """
    name = node.input(0)
    shape = build.shape(name)
    axes = frozenset(normal_axis(axis, len(shape)) for axis in norm.axes)
    pairs = ((gain, 1.0), (offset, 0.0))
    factors = [wide(build, value, default, len(shape)) for value, default in pairs]
    place = place_of(build, name, axes, norm.groups, along(factors))
    gains, offsets = (spread(value, shape, place.last) for value in factors)
    offsets = None if gains is None else offsets  # what is added follows the product
    rest = [
        (kind, value)
        for kind, value, taken in (("Mul", gain, gains), ("Add", offset, offsets))
        if value and taken is None
    ]
    count = place.view[-1]
    values = math.prod(shape[a] for a in axes) // norm.groups
    op = _operator(norm, values, place, gains or (1.0,) * count, offsets or (0.0,) * count)
    _add(op, inner(node, "unit") if rest else node, build, place)
    name = inner(node, "unit").outputs[0]
    for k, (kind, value) in enumerate(rest):
        second = value if isinstance(value, str) else f"{node.outputs[0]}\0{kind}"
        if isinstance(value, Constant):
            build.constants[second] = value
        step = inner(node, kind) if k < len(rest) - 1 else node
        read_two(replace(step, op_type=kind, domain="", inputs=(name, second)), build)
        name = step.outputs[0]


def _operator(
    norm: Norm, values: int, place: Place, gains: tuple[float, ...], offsets: tuple[float, ...]
) -> Normalize:
    """The operator on a view, given how many values are normalized together."""
    rule = Epsilon.INSIDE if norm.power == 1 and norm.rule is Epsilon.ADDED else norm.rule  # alike
    return Normalize(
        gains,
        offsets,
        norm.epsilon if norm.epsilon > _NEAR_0 else 0.0,
        norm.divisor or values,
        place.whole,
        place.groups,
        norm.centered,
        norm.power,
        rule,
    )


def _add(op: Normalize, node: OnnxNode, build: Builder, place: Place) -> None:
    """The operator on a view of its input, its result seen as the input was."""
    name = node.input(0)
    shape = tuple(1 if a is None else build.shape(name)[a] for a in place.layout)
    source = build.in_layout(name, place.layout)
    if shape == place.view:
        build.add(op, [source], node, place.layout)
        return
    flat, made = inner(node, "flat"), inner(node, "made")
    build.add(Reshape(place.view), [source], flat, quant=build.quant(name))
    inside = plain(len(place.view))
    build.add(op, [build.in_layout(flat.outputs[0], inside)], made, inside)
    build.add(Reshape(shape), [build.in_layout(made.outputs[0], inside)], node, place.layout)


# -- readers ------------------------------------------------------------------------------


def _from_axis(node: OnnxNode, build: Builder) -> tuple[int, ...]:
    """The axes from an attribute on."""
    rank = len(build.shape(node.input(0)))
    return tuple(range(normal_axis(node.get_int("axis", -1), rank), rank))


def read_layer_norm(node: OnnxNode, build: Builder) -> None:
    """LayerNormalization over the last axes."""
    axes, epsilon = _from_axis(node, build), node.get_float("epsilon", 1e-5)
    add_normalized(node, build, Norm(axes, epsilon), node.input(1), node.input(2))
    mean, inverse = (*node.outputs[1:], "", "")[:2]
    if mean or inverse:
        steps = Steps(node, build)
        mean = steps.add("ReduceMean", node.input(0), to=mean, axes=axes)
    if inverse:
        variance = _variance(steps, mean, axes, keepdims=1)
        root = steps.add("Sqrt", steps.add("Add", variance, epsilon))
        steps.add("Reciprocal", root, to=inverse)


def _variance(steps: Steps, mean: str, axes: tuple[int, ...], keepdims: int) -> str:
    """The mean of squares of distances from a mean."""
    away = steps.add("Sub", steps.node.input(0), mean)
    return steps.add("ReduceMean", steps.add("Mul", away, away), axes=axes, keepdims=keepdims)


def read_rms_norm(node: OnnxNode, build: Builder) -> None:
    """RMSNormalization and SimplifiedLayerNormalization: no mean, no offset."""
    norm = Norm(_from_axis(node, build), node.get_float("epsilon", 1e-5), centered=False)
    _no_statistics(node)
    add_normalized(node, build, norm, node.input(1))


def read_skip_layer_norm(node: OnnxNode, build: Builder) -> None:
    """A sum of two or three tensors, normalized; the sum itself is the fourth output."""
    simple = node.op_type.startswith("SkipSimplified")
    gain, offset = node.input(2), "" if simple else node.input(3)
    bias = node.input(3 if simple else 4)
    _no_statistics(node, 1, 2)
    total = node.outputs[3] if len(node.outputs) > 3 else ""
    total = total or inner(node, "sum").outputs[0]
    terms = [node.input(0), node.input(1), *filter(None, [bias])]
    for k, term in enumerate(terms[1:], start=1):
        made = total if k == len(terms) - 1 else inner(node, "part").outputs[0]
        first = terms[0] if k == 1 else inner(node, "part").outputs[0]
        added = replace(node, op_type="Add", domain="", inputs=(first, term), outputs=(made,))
        read_two(added, build)
    norm = Norm((-1,), node.get_float("epsilon", 1e-12), centered=not simple)
    add_normalized(replace(node, inputs=(total,)), build, norm, gain, offset)


def read_batch(node: OnnxNode, build: Builder) -> None:
    """BatchNormalization; in training mode by the statistics of its input.

    These are mixed into the given ones.
    """
    if not node.get_int("training_mode", 0):
        read_batch_norm(node, build)
        return
    rank = len(build.shape(node.input(0)))
    axes = (0, *range(2, rank))
    gain, offset = (_per_channel(build, node.input(i), rank) for i in (1, 2))
    add_normalized(node, build, Norm(axes, node.get_float("epsilon", 1e-5)), gain, offset)
    steps, kept = Steps(node, build), node.get_float("momentum", 0.9)
    mean = steps.add("ReduceMean", node.input(0), axes=axes)
    for index, given in ((1, node.input(3)), (2, node.input(4))):
        name = node.outputs[index] if index < len(node.outputs) else ""
        old = build.constant(given)
        if not name or old is None:
            continue
        if index == 1:
            new = steps.add("ReduceMean", node.input(0), axes=axes, keepdims=0)
        else:
            new = _variance(steps, mean, axes, keepdims=0)
        share = f"{name}\0old"
        build.constants[share] = Constant((old.data * kept).astype(np.float32))
        steps.add("Add", steps.add("Mul", new, 1.0 - kept), share, to=name)


def read_instance_norm(node: OnnxNode, build: Builder) -> None:
    """InstanceNormalization: each channel over all its pixels."""
    rank = len(build.shape(node.input(0)))
    norm = Norm(tuple(range(2, rank)), node.get_float("epsilon", 1e-5))
    gain, offset = (_per_channel(build, node.input(i), rank) for i in (1, 2))
    add_normalized(node, build, norm, gain, offset)


def read_group_norm(node: OnnxNode, build: Builder) -> None:
    """GroupNormalization: gains for each group before opset 21, then for each channel."""
    shape, groups = build.shape(node.input(0)), node.get_int("num_groups", 0)
    if len(shape) < 2 or groups < 1 or shape[1] % groups:
        raise UnsupportedOp(f"num_groups={groups} of shape {list(shape)}")
    values = [_per_channel(build, node.input(i), len(shape)) for i in (1, 2)]
    for k, value in enumerate(values):
        if node.opset < 21 and isinstance(value, Constant) and value.data.shape[0] == groups:
            values[k] = Constant(np.repeat(value.data, shape[1] // groups, axis=0))
        elif node.opset < 21 and isinstance(value, str):
            raise UnsupportedOp("gains of groups that are computed", hint="freeze the weights")
    axes, epsilon = tuple(range(1, len(shape))), node.get_float("epsilon", 1e-5)
    if groups == shape[1]:
        axes, groups = axes[1:], 1
    add_normalized(node, build, Norm(axes, epsilon, groups=groups), *values)


def read_lp_norm(node: OnnxNode, build: Builder) -> None:
    """LpNormalization: over the sum of absolute values or of squares; 0 stays 0."""
    power = node.get_int("p", 2)
    if power not in (1, 2):
        raise UnsupportedOp(f"p={power}")
    axes = (node.get_int("axis", -1),)
    add_normalized(node, build, Norm(axes, 0.0, 1, centered=False, power=power))


def read_mean_variance(node: OnnxNode, build: Builder) -> None:
    """MeanVarianceNormalization, over all axes but the channels by default."""
    axes = node.get_ints("axes", (0, 2, 3))
    add_normalized(node, build, Norm(axes, 1e-9, rule=Epsilon.ADDED))


def read_normalize(node: OnnxNode, build: Builder) -> None:
    """What the importer has recognized in its parts."""
    shape, groups = build.shape(node.input(0)), node.get_int("groups", 1)
    rank = len(shape)
    axes = tuple(range(rank)) if node.get_int("all_axes", 0) else node.get_ints("axes", ())
    if groups > 1:
        axes = tuple(range(1, rank))
    values = math.prod(shape[a] for a in {normal_axis(a, rank) for a in axes}) // groups
    divisor = (values if node.get_int("mean", 1) else 1) / node.get_float("scale", 1.0)
    if abs(divisor - round(divisor)) < 1e-5 * divisor:
        divisor = round(divisor)
    norm = Norm(
        axes,
        node.get_float("epsilon", 0.0),
        divisor,
        bool(node.get_int("centered", 1)),
        node.get_int("power", 2),
        Epsilon(node.get_str("rule", "inside")),
        groups,
    )
    add_normalized(node, build, norm, node.input(1), node.input(2))


def _per_channel(build: Builder, name: str, rank: int) -> Constant | str:
    """A value for each index of axis 1, with as many axes as the tensor from there on."""
    value = build.constant(name) if name else None
    if value is None:
        if not name or rank <= 2:
            return name
        raise UnsupportedOp("scale or bias is computed", hint="freeze the weights")
    return Constant(value.data.reshape(-1, *(1,) * (rank - 2)))


def _no_statistics(node: OnnxNode, *others: int) -> None:
    """Refuse outputs beside the first."""
    if any(node.outputs[i] for i in others or range(1, len(node.outputs)) if i < len(node.outputs)):
        raise UnsupportedOp("outputs of statistics", hint="export the model in evaluation mode")


READERS = {
    "BatchNormalization": read_batch,
    "GroupNormalization": read_group_norm,
    "InstanceNormalization": read_instance_norm,
    "LayerNormalization": read_layer_norm,
    "LpNormalization": read_lp_norm,
    "MeanVarianceNormalization": read_mean_variance,
    "RMSNormalization": read_rms_norm,
    "SimplifiedLayerNormalization": read_rms_norm,
    "com.microsoft::SimplifiedLayerNormalization": read_rms_norm,
    "com.microsoft::SkipLayerNormalization": read_skip_layer_norm,
    "com.microsoft::SkipSimplifiedLayerNormalization": read_skip_layer_norm,
    "mcuplan::Normalize": read_normalize,
}
