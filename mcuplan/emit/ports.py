# SPDX-License-Identifier: Apache-2.0
"""Inputs and outputs at the C boundary: macros, accessors, conversions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mcuplan.emit.bundle import BundlePort
from mcuplan.emit.c_writer import COLUMNS, call, float_literal, noted
from mcuplan.emit.places import Places
from mcuplan.ir.graph import Port
from mcuplan.ir.types import DType
from mcuplan.safe_text import comment_text, unique

__all__ = ["accessor", "declared", "helper", "port_macros", "ports_of", "shape_text"]

_SAID = (DType.FLOAT32, DType.INT8, DType.UINT8)


def ports_of(places: Places, ports: Sequence[Port], word: str) -> tuple[BundlePort, ...]:
    """Accessors, sizes and places of the inputs or the outputs; ``word`` says which."""
    idents = unique([port.name for port in ports], endings=("_quantize", "_real"))
    bundled = []
    for port in ports:
        kind = places.graph.tensor(port.tensor).type
        suffix = f"_{idents[port.name]}" if len(ports) > 1 else ""
        region, offset = places.plan.address(port.tensor)
        bundled.append(
            BundlePort(
                port.name,
                f"{places.name}_{word}{suffix}",
                kind.dtype,
                kind.nbytes,
                port.shape if port.layout is None or port.planes else kind.shape,
                kind.quant,
                places.members[region],
                offset,
                "" if port.dtype in (*_SAID, kind.dtype) else port.dtype.value,
                port.planes,
            )
        )
    return tuple(bundled)


def port_macros(port: BundlePort, fed_rows: int = 0) -> str:
    """Bytes, shape and grid of a port; rows of one that arrives row by row."""
    stem = port.accessor.upper()
    note = f"{port.dtype} {shape_text(port.shape)} row-major"
    name = f'"{comment_text(port.name)}"'
    name += f", {port.model_type} in the model" if port.model_type else ""
    lines = [
        noted(f"#define {stem}_BYTES ({port.nbytes}U)", f"{note}, {name}"),
        f"#define {stem}_COUNT ({math.prod(port.shape)}U) /* elements */",
        f"#define {stem}_RANK ({len(port.shape)}U)",
    ]
    lines += [f"#define {stem}_DIM{i} ({n}U)" for i, n in enumerate(port.shape)]
    if fed_rows:
        lines.append(f"#define {stem}_ROWS ({fed_rows}U) /* they arrive one by one */")
        lines.append(f"#define {stem}_ROW_BYTES ({port.nbytes // fed_rows}U)")
    if fed_rows and port.planes:
        pixels = port.nbytes // fed_rows // port.planes
        lines.append(
            f"#define {stem}_ROW_PLANES ({port.planes}U) /* of a row, one for each channel */"
        )
        lines.append(f"#define {stem}_ROW_PIXELS ({pixels}U) /* values of a plane of a row */")
    if port.quant is not None:
        scale = float_literal(port.quant.s)
        lines.append(f"#define {stem}_SCALE ({scale}) /* real = scale * (q - zero_point) */")
        lines.append(f"#define {stem}_ZERO_POINT ({port.quant.z})")
    return "\n".join(lines) + "\n"


def shape_text(shape: Sequence[int]) -> str:
    """A shape as comments show it."""
    return "[" + ",".join(map(str, shape)) + "]"


def declared(places: Places, port: BundlePort, *, is_input: bool) -> str:
    """Declaration of an accessor, with what it is for."""
    macro, last = port.accessor.upper(), "finish" if places.plan.fed_rows else "invoke"
    done = " returned MPLAN_OK" if places.plan.pauses else ""
    text = (
        f"Write {macro}_BYTES bytes of input here before\n * {places.name}_invoke()."
        if is_input
        else f"Read {macro}_BYTES bytes of output here after\n * {places.name}_{last}(){done}."
    )
    const = "" if is_input else "const "
    head = f"{const}{port.dtype.c_type} *{port.accessor}(const {places.name}_ctx_t *ctx);"
    return f"/**\n * {text} NULL if ctx is not usable.\n */\n{head}\n"


def accessor(places: Places, port: BundlePort, tensor: str, *, is_input: bool) -> str:
    """Definition of an accessor."""
    const = "" if is_input else "const "
    place = f"&ctx->{port.region}->bytes[{places.macros[places.owner(tensor)]}]"
    if port.dtype is not DType.INT8:
        start = f"({const}void *)" if port.dtype.nbytes() > 1 else ""  # offsets are multiples of 4
        place = f"({const}{port.dtype.c_type} *){start}{place}"
    parts = ["    return (check(ctx) == MPLAN_OK)", f"? {place}", ": NULL;"]
    gap = " " if len(" ".join(parts)) <= COLUMNS else "\n" + " " * 15
    return (
        f"{const}{port.dtype.c_type} *{port.accessor}(const {places.name}_ctx_t *ctx)\n{{\n"
        f"{gap.join(parts)}\n}}\n"
    )


def helper(port: BundlePort, *, is_input: bool) -> str:
    """Conversion between real values and the integers of a port; none of real ones."""
    if port.quant is None:
        return ""
    macro = port.accessor.upper()
    if is_input:
        limits = str(port.dtype.low), str(port.dtype.high)
        grid = f"{macro}_SCALE", f"{macro}_ZERO_POINT"
        return (
            f"/** Integer for a real value of the input, as the model quantizes it. */\n"
            f"static inline {port.dtype.c_type} {port.accessor}_quantize(float real)\n{{\n"
            f"    const int32_t q =\n"
            f"{call('mplan_quantize', ['real', *grid, *limits], 8)}\n\n"
            f"    return MPLAN_CAST({port.dtype.c_type}, q);\n}}\n"
        )
    return (
        f"/** Real value of an integer of the output. */\n"
        f"static inline float {port.accessor}_real({port.dtype.c_type} q)\n{{\n"
        f"    const int32_t steps = MPLAN_CAST(int32_t, q) - {macro}_ZERO_POINT;\n\n"
        f"    return {macro}_SCALE * MPLAN_CAST(float, steps);\n}}\n"
    )
