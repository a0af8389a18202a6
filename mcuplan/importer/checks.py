# SPDX-License-Identifier: Apache-2.0
"""Checks of one node before its reader sees it: element types and sizes of windows."""

from __future__ import annotations

from functools import cache
from typing import Any

from mcuplan.errors import DamagedModel, InputTooLarge, UnsupportedOp, UnsupportedType
from mcuplan.ir.builder import OnnxNode

__all__ = ["check_types", "check_windows"]

_WINDOW_LIMIT, _TAPS_LIMIT = 1 << 16, 1 << 26
_FLOATS = ("float16", "float32", "float64")
_ONNX_NAMES = {"float32": "float", "float64": "double"}


@cache
def _formal_inputs(op_type: str, opset: int) -> tuple[tuple[str, frozenset[str]], ...]:
    """Type variable and allowed types of each input of a standard operator."""
    from onnx import defs

    try:
        schema: Any = defs.get_schema(op_type, opset, "")
    except defs.SchemaError as error:  # an opset that the file asks for in an attribute
        raise DamagedModel(f"there is no {op_type} in opset {opset}") from error
    return tuple((formal.type_str, frozenset(formal.types)) for formal in schema.inputs)


def check_types(node: OnnxNode, types: tuple[str, ...]) -> None:
    """Inputs have types that the operator takes, the same where it wants the same.

    Float types are not told apart: float constants of any width become float32.

    Args:
        node: a standard node.
        types: numpy's name of each input's type, "" where the input is absent.

    Raises:
        DamagedModel: they do not.
        UnsupportedType: they do not, in a quantization that others take.
    """
    formal = _formal_inputs(node.op_type, node.opset)
    bound: dict[str, str] = {}
    for i, found in enumerate(types):
        if not found:
            continue
        variable, allowed = formal[min(i, len(formal) - 1)]
        names = _FLOATS if found in _FLOATS else (found,)
        if not any(f"tensor({_ONNX_NAMES.get(name, name)})" in allowed for name in names):
            if node.op_type == "QuantizeLinear":  # types of a later opset or a runtime's own
                raise UnsupportedType(f"quantization to {found}", hint="quantize to int8")
            raise DamagedModel(f"input {i} is {found}", hint="export again")
        kind = "float" if found in _FLOATS else found
        other = bound.setdefault(variable, kind)
        if other != kind:
            raise DamagedModel(f"inputs of types {other} and {kind}", hint="export again")


def check_windows(node: OnnxNode, shape: tuple[int, ...], weights: tuple[int, ...] | None) -> None:
    """Attributes of a window fit the rank, the weights, and what a reader can go through.

    Raises:
        DamagedModel: there are too many or too few, or another kernel than the weights have.
        UnsupportedOp, InputTooLarge: they are absurdly large.
    """
    if shape[:1] != (1,) and node.op_type != "ConvTranspose":
        raise UnsupportedOp(
            f"a batch of {shape[0] if shape else 0}",
            hint="export with a batch of 1, or with a dynamic first axis",
        )
    spatial = shape[2:]
    for key, count in (("kernel_shape", 1), ("strides", 1), ("dilations", 1), ("pads", 2)):
        values = node.get_ints(key, ())
        if values and len(values) != count * len(spatial):
            raise DamagedModel(f"{key}={list(values)} for a tensor of rank {len(shape)}")
        if any(abs(v) > _WINDOW_LIMIT for v in values):
            raise UnsupportedOp(f"{key}={list(values)}", hint="check the attribute")
    kernel = node.get_ints("kernel_shape", () if weights is None else weights[2:])
    if weights is not None and kernel != weights[2:]:
        raise DamagedModel(f"kernel_shape={list(kernel)} for weights of shape {list(weights)}")
    if any(k < 1 for k in kernel):
        raise DamagedModel(f"kernel_shape={list(kernel)}")
    reach = 2 * max(node.get_ints("pads", ()), default=0)
    if any(k * (n + reach) > _TAPS_LIMIT for k, n in zip(kernel, spatial, strict=False)):
        raise InputTooLarge(f"kernel_shape={list(kernel)} over {list(spatial)} elements")
