# SPDX-License-Identifier: Apache-2.0
"""A report against an earlier one: what grew, and which change of the model made it grow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from mcuplan.budget.causes import changes, matched, shape_changes
from mcuplan.budget.compared import Compared, compared_from_report
from mcuplan.budget.verdict import growth_findings, verdict_of
from mcuplan.errors import OtherTarget
from mcuplan.record import Against, Baseline, Budget, Growth, RegionGrowth
from mcuplan.safe_text import shown

__all__ = ["compare", "with_growth"]

_NAMES_SHOWN = 3


def with_growth(budget: Budget, against: Against, allowed: int | None = 0) -> Budget:
    """A report with what grew since an earlier one of the same target.

    ``allowed`` are the bytes by which RAM or flash may grow; None: as they like.

    Raises:
        BaselineError: what is compared is missing from it.
        OtherTarget: it is one of another target.
    """
    old = compared_from_report(against.report, against.file)
    target = budget.target.name
    if old.target != target:
        what = f"a report of {shown(old.target[:40])}, this is {target}"
        raise OtherTarget(what, against.file, "one baseline per target; mcuplan diff OLD NEW")
    found = compare(against.file, old, Compared.of(_compared(budget)))
    findings = (*budget.verdict.findings, *growth_findings(found, allowed))
    return replace(budget, baseline=found, verdict=verdict_of(findings))


def _compared(budget: Budget) -> Mapping[str, Any]:
    """What of a report is compared, as JSON has it."""
    rows = [asdict(row) for row in budget.layers]
    parts = {name: asdict(getattr(budget, name)) for name in ("ram", "flash", "model", "target")}
    regions = [asdict(region) for region in budget.regions]
    said = {"tool_version": budget.tool_version, "asked": budget.asked}
    return {**parts, **said, "regions": regions, "layers": rows}


def compare(file: str, old: Compared, new: Compared) -> Baseline:
    """Deltas of the parts, and of the layers that changed, biggest growth first."""
    found = [_layer(before, now) for before, now in matched(old.layers, new.layers)]
    rows = sorted((row for row in found if row), key=lambda r: -max(r.ram_delta, r.flash_delta))
    parts = [_part(name, old, new) for name in new.parts]
    changed = [part for part in parts if part.ram_delta or part.flash_delta or part.because]
    if old.target != new.target:
        changed.insert(0, Growth("target", 0, 0, f"{old.target} -> {new.target}"))
    ram, flash = sum(p.ram_delta for p in parts), sum(p.flash_delta for p in parts)
    why = changes(old.side, new.side, ram, flash) if old.target == new.target else ()
    return Baseline(file, ram, flash, tuple(rows), tuple(changed), _regions(old, new), why)


def _regions(old: Compared, new: Compared) -> tuple[RegionGrowth, ...]:
    """Of each region; none where a part of RAM or flash is measured in one report only."""
    if old.target != new.target or any(
        part.origin != new.parts[name].origin for name, part in old.parts.items()
    ):
        return ()
    return tuple(
        RegionGrowth(name, used - old.regions[name])
        for name, used in new.regions.items()
        if name in old.regions
    )


def _part(name: str, old: Compared, new: Compared) -> Growth:
    """One summand; a measured figure against a modelled one is no growth."""
    before, after = old.parts[name], new.parts[name]
    if before.origin != after.origin:
        return Growth(name, 0, 0, f"{before.origin} before, {after.origin} now: not compared")
    ram, flash = after.ram_bytes - before.ram_bytes, after.flash_bytes - before.flash_bytes
    return Growth(name, ram, flash, _kernel_changes(old, new) if name == "code" and flash else "")


def _kernel_changes(old: Compared, new: Compared) -> str:
    """Which kernels came and went: they are most of the code."""
    before, after = (
        {str(row.get("kernel")).removeprefix("mplan_") for row in one.layers} for one in (old, new)
    )
    said = []
    for word, names in (("new", sorted(after - before)), ("gone", sorted(before - after))):
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        said += [f"{word}: {', '.join(names[:_NAMES_SHOWN])}{more}"] if names else []
    return "; ".join(said)


def _layer(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Growth | None:
    if old is None:
        assert new is not None
        return Growth(new["name"], new["live_bytes"], new["weights_bytes"], "new layer")
    if new is None:
        return Growth(old["name"], -old["live_bytes"], -old["weights_bytes"], "layer is gone")
    ram = new["live_bytes"] - old["live_bytes"]
    flash = new["weights_bytes"] - old["weights_bytes"]
    return Growth(new["name"], ram, flash, _reason(old, new)) if ram or flash else None


def _reason(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Why a layer changed, as far as its row tells."""
    reasons = []
    if old.get("op") != new.get("op"):
        reasons.append(f"{old.get('op')} -> {new.get('op')}")
    reasons += shape_changes(old["output_shape"], new["output_shape"])
    if old.get("kernel") != new.get("kernel"):
        kernels = [str(row.get("kernel")).removeprefix("mplan_") for row in (old, new)]
        reasons.append(f"kernel {' -> '.join(kernels)}")
    if not reasons and old.get("input_bytes") != new.get("input_bytes"):
        reasons.append(f"input {old.get('input_bytes'):,} B -> {new.get('input_bytes'):,} B")
    if not reasons and old.get("scratch_bytes") != new.get("scratch_bytes"):
        reasons.append(f"scratch {old.get('scratch_bytes')} B -> {new.get('scratch_bytes')} B")
    return ", ".join(reasons) or "other tensors are alive at this step"
