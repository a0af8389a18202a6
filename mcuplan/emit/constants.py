# SPDX-License-Identifier: Apache-2.0
"""The constants of every step: arrays and params structs, named by kernel and step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mcuplan.emit.bundle import Symbol
from mcuplan.emit.c_writer import array, initializer
from mcuplan.ir.op import Call, ConstArray
from mcuplan.ir.types import DType
from mcuplan.price.structs import kernel_struct
from mcuplan.schedule.program import Step

__all__ = ["StepConstants", "step_constants", "step_name"]


@dataclass(frozen=True, slots=True)
class StepConstants:
    """C text of a step's constants; names of params structs and operands by call."""

    text: str
    params: tuple[str, ...]
    operands: Mapping[int, str]  # node input -> constant that is passed to a call
    symbols: tuple[Symbol, ...]


def step_name(step: Step) -> str:
    """Short name of a step: what its kernel does, and its number."""
    stem = step.kernel.function.removeprefix("mplan_")
    return f"{stem.removesuffix('_s8')}_{step.index}"


def step_constants(
    step: Step, where: str, rows: Callable[[str], str], *, is_form: bool = False
) -> StepConstants:
    """Arrays and params structs of one step.

    Args:
        step: what runs.
        where: its node, for errors.
        rows: initializer of ``mplan_rows_t`` by activation.
        is_form: another form of a step, whose arrays it has.

    Raises:
        InputTooLarge: a dimension does not fit the kernel's params struct.
    """
    owner = step_name(step)
    name = f"{owner}_in_{step.scratch_bytes}" if is_form else owner
    parts: list[str] = []
    symbols: list[Symbol] = []
    operands: dict[int, str] = {}
    for index in sorted({i for call in step.calls for i in call.inputs}):
        value = step.signature.constants[index]
        if value is not None:
            symbol, kind = f"{owner}_operand{index}", step.signature.inputs[index]
            plain = kind.dtype is DType.INT8
            operands[index] = symbol if plain else f"(const int8_t *){symbol}"
            if is_form:
                continue
            parts.append(array(symbol, kind.dtype, value))
            symbols.append(Symbol(symbol, kind.nbytes, "weights", step.index))
    params = []
    for k, call in enumerate(step.calls):
        each = "" if len(step.calls) == 1 else f"_{k}"
        params.append(name + each)
        arrays = owner + each if is_form else ""
        text, made = _call_constants(step, call, params[-1], arrays, where, rows)
        parts += text
        symbols += made
    return StepConstants("\n".join(parts), tuple(params), operands, tuple(symbols))


def _call_constants(
    step: Step, call: Call, name: str, known: str, where: str, rows: Callable[[str], str]
) -> tuple[list[str], list[Symbol]]:
    """A params struct, and its arrays: those of a struct that is ``known``, if any is."""
    parts, symbols = [], []
    printed: dict[str, object] = dict(_rows(step, call, rows))
    for key, value in call.fields.items():
        printed[key] = value
        if isinstance(value, ConstArray):
            # of a copy the call says where it is
            printed[key] = f"{known or name}_{key}" if value.blocks is None else None
        if isinstance(value, ConstArray) and not known:
            parts.append(array(f"{name}_{key}", value.dtype, value.values))
            symbols.append(Symbol(f"{name}_{key}", value.nbytes, value.kind, step.index))
    struct = kernel_struct(step.kernel.function)
    parts.append(initializer(name, struct, printed, where))
    symbols.append(Symbol(name, struct.nbytes, "tables", step.index))
    return parts, symbols


def _rows(step: Step, call: Call, rows: Callable[[str], str]) -> dict[str, str]:
    """Row addresses of the operands."""
    found: dict[str, str] = {}
    for position, index in enumerate(call.inputs):
        key = "in_rows" if position == 0 else f"in{position + 1}_rows"
        constant = step.signature.constants[index] is not None
        name, kind = step.node.inputs[index], step.signature.inputs[index]
        found[key] = f"{{.stride = {kind.row_bytes}U, .table = NULL}}" if constant else rows(name)
    for position, name in enumerate(step.node.outputs):
        found["out_rows" if position == 0 else f"out{position + 1}_rows"] = rows(name)
    return found
