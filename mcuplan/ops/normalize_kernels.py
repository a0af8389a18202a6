# SPDX-License-Identifier: Apache-2.0
"""Kernels of normalizations, and how one is written as ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Signature
from mcuplan.ir.types import DType, Types
from mcuplan.ir.writer import Writer
from mcuplan.ops._normalize_integers import Epsilon, factors_of
from mcuplan.ops.normalize import Normalize

__all__ = ["KERNELS", "WRITERS", "normalize_work"]

_FLOAT = Types.all(DType.FLOAT32)


def _sizes(sig: Signature) -> dict[str, Field]:
    """Members of the params struct that say what is normalized together."""
    op, shape = sig.op, sig.output.shape
    assert isinstance(op, Normalize)
    pixels, channels = shape[-2] if op.whole else 1, shape[-1]
    return {
        "blocks": sig.output.elements // (sig.output.rows * pixels * channels),
        "pixels": pixels,
        "groups": op.groups,
        "channels": channels // op.groups,
    }


def _normalize(sig: Signature) -> tuple[Call, ...]:
    op, factors = sig.op, factors_of(sig)
    assert isinstance(op, Normalize)
    pairs = np.stack([factors.gains, factors.offsets], axis=-1)
    fields: dict[str, Field] = {
        "affine": ConstArray(DType.INT32, pairs),
        **_sizes(sig),
        "epsilon": factors.epsilon % 2**32,
        "epsilon_high": factors.epsilon >> 32,
        "least": factors.least % 2**32,
        "least_high": factors.least >> 32,
        "norm_epsilon": factors.norm_epsilon,
        "unit_bits": factors.unit_bits,
        "centered": int(op.centered),
        "norm": 1 if op.power == 1 else 3 if op.rule is Epsilon.ADDED else 2,
        "in_zero_point": factors.zero_point,
    }
    return (Call(fields),)


def _normalize_f32(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Normalize)
    pairs = np.stack([np.array(v, np.float32) for v in (op.gains, op.offsets)], axis=-1)
    fields: dict[str, Field] = {
        "affine": ConstArray(DType.FLOAT32, pairs),
        **_sizes(sig),
        "divisor": float(op.divisor),
        "epsilon": op.epsilon,
        "centered": int(op.centered),
        "power": op.power,
        "rule": list(Epsilon).index(op.rule),
    }
    return (Call(fields),)


def normalize_work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """Groups of values, each read twice in runs of channels, or by channels in runs of pixels."""
    op, elements = sig.op, sig.output.elements
    assert isinstance(op, Normalize)
    pixels = sig.output.shape[-2] if op.whole else 1
    channels = sig.output.shape[-1] // op.groups
    groups = elements // (pixels * channels)
    shorter = min(pixels, channels)
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "group": groups,
        "run": groups * shorter,
        "output": elements,
    }


def _float_work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """The same, always by pixel."""
    work = normalize_work(sig, runs)
    pixels = sig.output.shape[-2] if getattr(sig.op, "whole", False) else 1
    return {**work, "run": work["group"] * pixels}


def write_normalize(node: Node, out: Writer) -> None:
    """What it means, in operators that every opset has; groups on an axis of their own."""
    op, shape = node.op, out.shape(node.inputs[0])
    assert isinstance(op, Normalize)
    layer = not op.whole and op.groups == 1
    axes = out.orders(node.inputs[0])[0] if layer else out.plain(node.inputs[0])
    value = out.read(node.inputs[0], axes)
    last = axes.index(len(axes) - 1)
    reduced: tuple[int, ...] = (last,)
    if not layer:
        pixels = shape[-2] if op.whole else 1
        parts = (-1, pixels, op.groups, shape[-1] // op.groups)
        value = out.node("Reshape", [value, out.constant("parts", np.array(parts, np.int64))])
        reduced = (1, 3)
    value = _unit(op, value, reduced, out)
    sizes = [len(op.gains) if i == last else 1 for i in range(len(axes))] if layer else parts[2:]
    gains = out.constant("gains", np.array(op.gains, np.float32).reshape(sizes))
    offsets = out.constant("offsets", np.array(op.offsets, np.float32).reshape(sizes))
    value = out.node("Add", [out.node("Mul", [value, gains]), offsets])
    if not layer:
        value = out.node("Reshape", [value, out.constant("shape", np.array(shape, np.int64))])
    out.write(node.output, value, axes)


def _unit(op: Normalize, value: str, axes: tuple[int, ...], out: Writer) -> str:
    """A value less its mean, over its norm."""

    def number(stem: str, real: float) -> str:
        return out.constant(stem, np.array(real, np.float32))

    if op.centered:
        value = out.node("Sub", [value, out.node("ReduceMean", [value], axes=axes, keepdims=1)])
    powers = out.node("Mul", [value, value]) if op.power == 2 else out.node("Abs", [value])
    wide = out.constant("axes", np.array(axes, np.int64))
    norm = out.node("ReduceSum", [powers, wide], keepdims=1)
    norm = out.node("Div", [norm, number("divisor", op.divisor)])
    epsilon = number("epsilon", max(op.epsilon, float(np.finfo(np.float32).tiny)))
    if op.rule is Epsilon.INSIDE:
        norm = out.node("Add", [norm, epsilon])
    norm = out.node("Sqrt", [norm]) if op.power == 2 else norm
    if op.rule is not Epsilon.INSIDE:
        norm = out.node("Add" if op.rule is Epsilon.ADDED else "Max", [norm, epsilon])
    return out.node("Div", [value, norm])


KERNELS = (
    Kernel(Normalize, "mplan_normalize_s8", _normalize, work=normalize_work),
    Kernel(
        Normalize,
        "mplan_normalize_f32",
        _normalize_f32,
        work=_float_work,
        types=_FLOAT,
    ),
)
WRITERS = {Normalize: write_normalize}
