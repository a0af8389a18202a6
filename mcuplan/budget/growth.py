# SPDX-License-Identifier: Apache-2.0
"""A report against an earlier one: what grew, and which layer made it grow."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mcuplan.errors import BaselineError, OtherTarget
from mcuplan.record import SCHEMA, Baseline, Flash, Growth, LayerRow, Ram

__all__ = ["Compared", "compare", "compared_from_report", "growth", "read_report"]

_MAX_BYTES = 64 << 20
Layers = tuple[Mapping[str, Any], ...]


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
_NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of one summand of RAM or flash, and how they are known where that varies."""

    ram_bytes: int
    flash_bytes: int
    origin: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What of a report is compared: parts of RAM and flash, and layers, as the JSON has them."""

    target: str
    parts: Mapping[str, Part]
    layers: Layers

    @classmethod
    def of(
        cls, target: str, ram: Mapping[str, Any], flash: Mapping[str, Any], layers: Layers
    ) -> Compared:
        """From the objects ``ram`` and ``flash`` of a report."""
        parts = {n: Part(ram[key], 0, str(ram.get(how, ""))) for n, key, how in _RAM_PARTS}
        parts |= {n: Part(0, flash[key], str(flash.get(how, ""))) for n, key, how in _FLASH_PARTS}
        return cls(target, parts, layers)


def read_report(path: Path) -> Mapping[str, Any]:
    """A JSON report that mcuplan wrote.

    Raises:
        BaselineError: not readable, not JSON, not a report of a model that was decided.
    """
    where = path.name
    hint = "write it with --report json=FILE"
    try:
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
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise BaselineError(f'no report of schema "{SCHEMA}"', where, hint)
    compared_from_report(report, where)
    return report


def compared_from_report(report: Mapping[str, Any], where: str = "") -> Compared:
    """The compared part of a report that was read from JSON.

    Raises:
        BaselineError: the part is missing or has other types.
    """
    try:
        layers = tuple(report["layers"])
        target = report["target"]["name"]
        found = Compared.of(target, report["ram"], report["flash"], layers)
        figures = [n for part in found.parts.values() for n in (part.ram_bytes, part.flash_bytes)]
        for layer in layers:
            figures += [layer["live_bytes"], layer["weights_bytes"]]
            figures += [layer.get(key, 0) for key in ("input_bytes", "scratch_bytes")]
            if not (isinstance(layer["name"], str) and isinstance(layer["output_shape"], list)):
                raise TypeError("layer")
        if not isinstance(target, str):
            raise TypeError("target")
        if not all(isinstance(n, int) for n in [*figures, *_sizes(layers)]):
            raise TypeError("bytes")
    except (KeyError, TypeError, AttributeError) as error:
        what = f"the report is incomplete: {error}"
        raise BaselineError(what, where, "write it again with --report json=FILE") from None
    return found


def _sizes(layers: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [n for layer in layers for n in layer["output_shape"]]


def growth(
    baseline: Mapping[str, Any],
    file: str,
    target: str,
    ram: Ram,
    flash: Flash,
    layers: Sequence[LayerRow],
) -> Baseline:
    """The plan against the report it is measured by.

    Raises:
        OtherTarget: the report is one of another target.
    """
    rows = tuple({**asdict(r), "output_shape": list(r.output_shape)} for r in layers)
    old, now = (
        compared_from_report(baseline, file),
        Compared.of(target, asdict(ram), asdict(flash), rows),
    )
    if old.target != target:
        what = f"a report of {old.target[:40]}, this is {target}"
        raise OtherTarget(what, file, "one baseline per target; mcuplan diff OLD NEW")
    return compare(file, old, now)


def compare(file: str, old: Compared, new: Compared) -> Baseline:
    """Deltas of the parts, and of the layers that changed, biggest growth first.

    Layers are matched by name; the k-th of several of one name by the k-th.
    """
    before, after = _by_name(old.layers), _by_name(new.layers)
    rows = []
    for key in dict.fromkeys((*after, *before)):
        row = _layer(key[0], before.get(key), after.get(key))
        if row is not None:
            rows.append(row)
    rows.sort(key=lambda r: -max(r.ram_delta, r.flash_delta))
    parts = [_part(name, old, new) for name in new.parts]
    changed = [part for part in parts if part.ram_delta or part.flash_delta or part.because]
    if old.target != new.target:
        changed.insert(0, Growth("target", 0, 0, f"{old.target} -> {new.target}"))
    ram, flash = sum(p.ram_delta for p in parts), sum(p.flash_delta for p in parts)
    return Baseline(file, ram, flash, tuple(rows), tuple(changed))


def _part(name: str, old: Compared, new: Compared) -> Growth:
    """One summand; a measured figure against a modelled one is no growth."""
    before, after = old.parts[name], new.parts[name]
    if before.origin != after.origin:
        return Growth(name, 0, 0, f"{before.origin} before, {after.origin} now: not compared")
    ram, flash = after.ram_bytes - before.ram_bytes, after.flash_bytes - before.flash_bytes
    return Growth(name, ram, flash, _kernel_changes(old, new) if name == "code" and flash else "")


def _kernel_changes(old: Compared, new: Compared) -> str:
    """Which kernels came and went: they are most of the code."""
    before, after = ({str(row.get("kernel")) for row in one.layers} for one in (old, new))
    said = []
    for word, names in (("new", sorted(after - before)), ("gone", sorted(before - after))):
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        said += [f"{word}: {', '.join(names[:_NAMES_SHOWN])}{more}"] if names else []
    return "; ".join(said)


def _by_name(layers: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int], Mapping[str, Any]]:
    seen: Counter[str] = Counter()
    found = {}
    for layer in layers:
        name = layer["name"]
        found[name, seen[name]] = layer
        seen[name] += 1
    return found


def _layer(
    name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
) -> Growth | None:
    if old is None:
        assert new is not None
        return Growth(name, new["live_bytes"], new["weights_bytes"], "new layer")
    if new is None:
        return Growth(name, -old["live_bytes"], -old["weights_bytes"], "layer is gone")
    ram = new["live_bytes"] - old["live_bytes"]
    flash = new["weights_bytes"] - old["weights_bytes"]
    return Growth(name, ram, flash, _reason(old, new)) if ram or flash else None


def _reason(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Why a layer changed, as far as its row tells."""
    reasons = []
    if old.get("op") != new.get("op"):
        reasons.append(f"{old.get('op')} -> {new.get('op')}")
    reasons += _shape_changes(old["output_shape"], new["output_shape"])
    if old.get("kernel") != new.get("kernel"):
        kernels = [str(row.get("kernel")).removeprefix("mplan_") for row in (old, new)]
        reasons.append(f"kernel {' -> '.join(kernels)}")
    if not reasons and old.get("input_bytes") != new.get("input_bytes"):
        reasons.append(f"input {old.get('input_bytes'):,} B -> {new.get('input_bytes'):,} B")
    if not reasons and old.get("scratch_bytes") != new.get("scratch_bytes"):
        reasons.append(f"scratch {old.get('scratch_bytes')} B -> {new.get('scratch_bytes')} B")
    return ", ".join(reasons) or "other tensors are alive at this step"


def _shape_changes(old: Sequence[int], new: Sequence[int]) -> list[str]:
    if list(old) == list(new):
        return []
    if len(old) != len(new):
        return [f"output shape {_shape(old)} -> {_shape(new)}"]
    last = len(new) - 1
    spatial = {1: "rows", 2: "columns"} if len(new) == 4 else {}
    names = {i: f"output {spatial.get(i, f'axis {i}')}" for i in range(last)}
    names[last] = "output channels"
    changed = [i for i in (last, *range(last)) if old[i] != new[i]]
    return [f"{names[i]} {old[i]} -> {new[i]}" for i in changed]


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
