# SPDX-License-Identifier: Apache-2.0
"""What of a report is compared with another one, read from JSON that anybody may have written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcuplan.budget.causes import Layers, Side
from mcuplan.errors import BaselineError
from mcuplan.record import SCHEMA
from mcuplan.record.joint import JOINT_SCHEMA

__all__ = ["Compared", "Part", "compared_from_report", "read_report"]

_MAX_BYTES = 64 << 20

# Part of the report, its key among RAM and flash, and what tells how it is known.
_RAM_PARTS = (
    ("arena", "arena_bytes", ""),
    ("I/O", "io_bytes", ""),
    ("static", "static_bytes", ""),
    ("stack", "stack_bytes", "stack_origin"),
)
_FLASH_PARTS = (
    ("weights", "weights_bytes", ""),
    ("tables", "tables_bytes", ""),
    ("code", "code_bytes", "code_origin"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of one summand of RAM or flash, and how they are known where that varies."""

    ram_bytes: int
    flash_bytes: int
    origin: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What of a report is compared: regions, parts of RAM and flash, and layers, as JSON has them.

    ``regions`` are the bytes used of each; None where a part of them is of unknown origin.
    """

    target: str
    parts: Mapping[str, Part]
    regions: Mapping[str, int]
    side: Side

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> Compared:
        """From a report as it is in JSON."""
        several = report.get("schema") == JOINT_SCHEMA
        ram, flash, model = report["ram"], report["flash"], {} if several else report["model"]
        parts = {n: Part(ram[key], 0, str(ram.get(how, ""))) for n, key, how in _RAM_PARTS}
        parts |= {n: Part(0, flash[key], str(flash.get(how, ""))) for n, key, how in _FLASH_PARTS}
        regions = {row["name"]: row["used_bytes"] for row in report.get("regions", ())}
        inputs = {port["name"]: tuple(port["shape"]) for port in model.get("inputs", ())}
        version, asked = report["tool_version"], tuple(report.get("asked", ()))
        layers = () if several else tuple(report["layers"])
        side = Side(layers, inputs, version, asked)
        return cls(report["target"]["name"], parts, regions, side)

    @property
    def layers(self) -> Layers:
        """In execution order."""
        return self.side.layers


def read_report(path: Path, schema: str = SCHEMA) -> Mapping[str, Any]:
    """A JSON report that mcuplan wrote, by default of one model.

    Raises:
        BaselineError: not readable, not JSON, not a report of a model that was decided.
    """
    where = path.name
    hint = "write it with --report json=FILE"
    if schema == JOINT_SCHEMA:
        hint = "give NAME.report.json of a folder that `mcuplan bundle` wrote"
    try:
        if not path.exists():
            raise BaselineError("no such file", where, hint)
        if not path.is_file():
            raise BaselineError("not a regular file", where, hint)
        if path.stat().st_size > _MAX_BYTES:
            raise BaselineError("larger than any report", where, hint)
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise BaselineError(f"cannot be read: {reason}", where, hint) from None
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"not JSON: {str(error)[:120]}", where, hint) from None
    if not isinstance(report, dict) or report.get("schema") != schema:
        raise BaselineError(f'no report of schema "{schema}"', where, hint)
    compared_from_report(report, where)
    return report


def compared_from_report(report: Mapping[str, Any], where: str = "") -> Compared:
    """The compared part of a report that was read from JSON.

    Raises:
        BaselineError: the part is missing or has other types.
    """
    try:
        found = Compared.of(report)
        _check_texts(found)
        if not all(isinstance(n, int) for n in _integers(found)):
            raise TypeError("bytes")
    except (KeyError, TypeError, AttributeError) as error:
        what = f"the report is incomplete: {error}"
        raise BaselineError(what, where, "write it again with --report json=FILE") from None
    return found


def _check_texts(found: Compared) -> None:
    """Raise TypeError where a name is no text, or a list none."""
    side = found.side
    texts = [found.target, side.tool_version, *side.asked, *found.regions, *side.inputs]
    for layer in side.layers:
        texts += [layer["name"], layer.get("op", ""), layer.get("output") or ""]
        texts += [*layer.get("inputs", ()), layer.get("weights_dtype") or ""]
        shapes = [layer["output_shape"], *(layer.get("input_shapes") or ())]
        if not all(isinstance(shape, list) and shape is not None for shape in shapes):
            raise TypeError("layer")
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("name")


def _integers(found: Compared) -> Iterator[Any]:
    """All that is counted in."""
    for part in found.parts.values():
        yield from (part.ram_bytes, part.flash_bytes)
    yield from found.regions.values()
    for shape in found.side.inputs.values():
        yield from shape
    for layer in found.side.layers:
        yield from (layer["live_bytes"], layer["weights_bytes"])
        yield from (layer.get(key, 0) for key in ("input_bytes", "scratch_bytes", "parameters"))
        for shape in (layer["output_shape"], *(layer.get("input_shapes") or ())):
            yield from shape
