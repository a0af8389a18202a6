# SPDX-License-Identifier: Apache-2.0
"""What there is to save for some loss: channels that readers hardly see, other types."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.record import MEAN_ERROR, RELATIVE_ERROR, Budget, TypePoint
from mcuplan.report._format import Look
from mcuplan.report._text import table
from mcuplan.units import counted, format_bytes, format_si

__all__ = ["idle_lines", "loss_of", "near_dead_lines", "type_lines", "type_table", "types_of"]

_NAME_WIDTH, _SHOWN = 24, 8


def near_dead_lines(budget: Budget, look: Look) -> list[str]:
    """What they cost; the layers with most of them, or all where that was asked for."""
    seen = budget.calibration
    if seen is None or not seen.near_dead:
        return []
    order = sorted(seen.near_dead, key=lambda row: (-row.macs, -row.weights_bytes))
    shown = order if look.every_layer else order[:_SHOWN]
    rows = [["near-dead in", "channels", "MACs", "RAM B", "flash B", ""]]
    names = look.names([row.layer for row in shown], _NAME_WIDTH)
    for name, row in zip(names, shown, strict=True):
        figures = [f"{row.channels:,} of {row.of:,}", format_si(row.macs)]
        figures += [f"{row.activation_bytes:,}", f"{row.weights_bytes:,}"]
        rows.append([name, *figures, "removed" if row.removed else ""])
    more = len(order) - len(shown)
    lines = [f" {line}".rstrip() for line in table(rows, (1, 2, 3, 4))]
    return lines + ([f" {counted(more, 'more layer')}"] if more else [])


def idle_lines(budget: Budget, look: Look) -> list[str]:
    """Weights that outputs hardly show; the layers with most of them, or all."""
    found = budget.calibration.idle_weights if budget.calibration is not None else ()
    order = sorted(found, key=lambda row: -row.weights_bytes)
    shown = order if look.every_layer else order[:_SHOWN]
    if not shown:
        return []
    rows = [["weights near 0 in", "0", "idle", "of", "MACs", "flash B"]]
    names = look.names([row.layer for row in shown], _NAME_WIDTH)
    for name, row in zip(names, shown, strict=True):
        figures = [f"{row.zero:,}", f"{row.idle:,}", f"{row.of:,}"]
        rows.append([name, *figures, format_si(row.macs), f"{row.weights_bytes:,}"])
    more = len(order) - len(shown)
    lines = [f" {line}".rstrip() for line in table(rows, (1, 2, 3, 4, 5))]
    lines += [f" {counted(more, 'more layer')}"] if more else []
    said = "idle: without all of these no output moves by more than half a step on the samples"
    return lines + look.wrap(said, " ", " ")


def types_of(options: tuple[str, ...]) -> str:
    """What options change, without the names of layers."""
    asked = [option.partition(" ")[::2] for option in options]
    weights = dict(_named(value) for kind, value in asked if kind == "--weight-dtype")
    layers = dict(_named(value) for kind, value in asked if kind == "--layer-dtype")
    usual, every = weights.pop("", ""), ("--dtype", "int16") in asked
    narrow, real = (list(types.values()) for types in (weights, layers))
    kept, found = narrow.count("int8"), list[str]()
    block = next((value for kind, value in asked if kind == "--weight-block"), "")
    if usual == "int4":
        found.append("int4 weights" + (f" but in {counted(kept, 'layer')}" if kept else ""))
    elif "int4" in narrow:
        found.append(f"int4 weights in {counted(narrow.count('int4'), 'layer')}")
    if block and found:
        found[-1] += f" by blocks of {block}"
    if every or "int16" in real:
        where = "" if every else f" in {counted(real.count('int16'), 'layer')}"
        lean = usual == "int8" or any(weights.get(name) == "int8" for name in layers)
        found.append(f"int16{where}{' by int8 weights' if lean else ''}")
    if "float32" in real:
        found.append(f"float32 in {counted(real.count('float32'), 'layer')}")
    return ", ".join(found) or "as asked for"


def _named(value: str) -> tuple[str, str]:
    """The layer, or none, and its type, of NAME=TYPE."""
    name, _, dtype = value.rpartition("=")
    return name, dtype


def type_lines(budget: Budget, look: Look) -> list[str]:
    """Plans with other types of some layers, by flash; the one that meets the limits is marked."""
    points = budget.calibration.types if budget.calibration is not None else ()
    if not points:
        return []
    anew = "each is planned anew, code and cycles modelled"
    return type_table(points) + look.wrap(f"{loss_of(points)}; {anew}", " ", " ")


def loss_of(points: Sequence[TypePoint], *, widens: bool = False) -> str:
    """What the columns of losses and decisions are, and from where a limit counts.

    ``widens``: from the float model, as activations of more bits may come as near as is wished.
    """
    measure = points[0].measure
    kind = f"points of {measure} below the float model"
    if measure == RELATIVE_ERROR:
        kind = f"{measure} against the float model"
    elif measure == MEAN_ERROR:
        kind = f"how much larger the {measure} is than the float model's, in % of the mean label"
    said = f"loss: {kind}, on samples of calibration"
    said += ", from which" if widens else ""
    said += " --max-loss counts" if widens else "; --max-loss counts from what grids lose anyway"
    if points[0].decisions is None:
        return said
    said += "; same: samples on which the decision is that of the float model"
    if measure != RELATIVE_ERROR:
        return said
    return f"{said}. Without labels top-1 is not known: it loses at most what decisions change"


def type_table(points: Sequence[TypePoint]) -> list[str]:
    """A line for each, under what its columns are."""
    decide = any(point.decisions is not None for point in points)
    rows = [["", "loss %", *(["same %"] if decide else []), "flash", "RAM", "cycles", "types"]]
    for point in points:
        same = "" if point.decisions is None else f"{point.decisions:.1f}"
        figures = [f"{point.loss:.2f}", *([same] if decide else [])]
        figures += [format_bytes(point.flash_bytes), format_bytes(point.ram_bytes)]
        figures += [format_si(point.cycles), types_of(point.options)]
        rows.append([">" if point.chosen else "", *figures])
    right = tuple(range(1, len(rows[0]) - 1))
    return [f" {line}".rstrip() for line in table(rows, right)] if points else []
