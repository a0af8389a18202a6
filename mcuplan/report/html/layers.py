# SPDX-License-Identifier: Apache-2.0
"""The table of layers: shapes, types, bytes, time with its origin, where it lies, how far off."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mcuplan.record import Budget, LayerRow
from mcuplan.report._proof import noise_cells
from mcuplan.report._speed import how_known
from mcuplan.report._text import shape_text
from mcuplan.report.html.part import Part, layer_names, whole
from mcuplan.units import Origin, format_si

__all__ = ["layers"]

_PIECE = re.compile(r"[^_/.:;]*[_/.:;]*")


@dataclass(frozen=True, slots=True)
class _Row:
    """A step as its cells show it; the second line of some stands below the first."""

    row: LayerRow
    name: tuple[str, ...]
    title: str
    shapes: tuple[str, str]
    types: tuple[str, str]
    kernel: tuple[str, ...]
    address: str
    cycles: tuple[str, ...]
    error: tuple[str, str]

    @property
    def sorts(self) -> float:
        """Error as a number, for a table that is sorted by it."""
        return self.row.max_lsb if self.row.max_lsb is not None else self.row.error or 0


def layers(budget: Budget) -> Part:
    """All steps, and whole names where they were shortened."""
    names, all_names = layer_names(budget), [row.name for row in budget.layers]
    places = _places(budget)
    rows = [
        _Row(
            row,
            _pieces(names[i]),
            whole(all_names, i) if names[i] != row.name else "",
            _shapes(row),
            _types(row),
            _pieces(row.kernel.removeprefix("mplan_")),
            places.get(row.kernel, ""),
            _cycles(row),
            _error(row),
        )
        for i, row in enumerate(budget.layers)
    ]
    values = {
        "rows": rows,
        "peak": budget.peak.step,
        "cut": [row for name, row in zip(names, budget.layers, strict=True) if name != row.name],
        "notes": _notes(budget),
    }
    return Part("layers", "Layers", "layers.html", values)


def _places(budget: Budget) -> Mapping[str, str]:
    """Where functions lie in the linked image, by name."""
    symbols = budget.build.symbols if budget.build is not None else ()
    return {s.name: f"0x{s.address:08x}" for s in symbols if s.address is not None}


def _shapes(row: LayerRow) -> tuple[str, str]:
    return " + ".join(map(shape_text, row.input_shapes)), shape_text(row.output_shape)


def _types(row: LayerRow) -> tuple[str, str]:
    kind = row.output_type
    if kind is None:
        return "", ""
    dtype = kind.dtype
    if row.weights_dtype not in (None, dtype, "int32"):
        dtype += f", weights {row.weights_dtype}"
    grid = f"{kind.scale:.4g}, {kind.zero_point}" if kind.scale is not None else ""
    return dtype, grid


def _pieces(name: str) -> tuple[str, ...]:
    """A name in pieces, between which a line may end."""
    return tuple(piece for piece in _PIECE.findall(name) if piece)


def _cycles(row: LayerRow) -> tuple[str, ...]:
    """Where cycles are from, how far they may be off, and what comes on top of them."""
    said = row.cycles_origin.value
    if row.cycles_origin is Origin.MODELLED and row.cycles_error is not None:
        said += f" \u00b1{max(1, round(100 * row.cycles_error))} %"
    waits = row.all_cycles - row.cycles
    return (said, f"+{format_si(waits)} waits") if waits > 0 else (said,)


def _error(row: LayerRow) -> tuple[str, str]:
    decibels = noise_cells(row)[0]
    below = f"{decibels} dB" if decibels not in ("", "-") else ""
    if row.max_lsb is not None:
        return f"{row.max_lsb} LSB", below
    return ("" if row.error is None else f"{100 * row.error:.2g} %"), below


def _notes(budget: Budget) -> list[str]:
    notes = [
        "Bytes are exact. Stack is that of the kernel as it was compiled for the reference core.",
        f"Cycles of all steps together: {how_known(budget.latency)}; those of single steps as "
        "each row says, by the worst error of its kernel where that was measured.",
    ]
    if _places(budget):
        notes.append("Addresses are those in the image that was linked for the emulated core.")
    else:
        notes.append("Addresses and measured code: after mcuplan verify, or check --build.")
    if all(row.error is None and row.max_lsb is None for row in budget.layers):
        notes.append("Errors against the reference: after mcuplan verify.")
    return notes
