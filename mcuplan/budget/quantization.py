# SPDX-License-Identifier: Apache-2.0
"""What the grids of a model cost in precision, as far as it is known before anything runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from mcuplan import words
from mcuplan.budget.calibration import calibration_findings
from mcuplan.budget.islands import CONVERSIONS_SHOWN, cost_of_type, gap_findings
from mcuplan.calibrate import Calibrated
from mcuplan.facts import FreeBlocks, InType
from mcuplan.findings import Finding, Severity
from mcuplan.ir.types import DType
from mcuplan.passes.assign_grids import Grids
from mcuplan.passes.cell_limits import cell_limits
from mcuplan.passes.coarse_steps import CoarseSteps, coarse_steps
from mcuplan.passes.full_sums import FullSums, full_sums
from mcuplan.passes.mixed_ranges import MixedRanges, mixed_ranges
from mcuplan.passes.moved_weights import moved_weights
from mcuplan.record import Planned, Way
from mcuplan.safe_text import arguments
from mcuplan.schedule.program import Plan

__all__ = ["block_findings", "full_accumulators", "quantization_findings"]

_NAMED = 4
_TYPES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "int16": ("quant/int16-layers", CONVERSIONS_SHOWN),
        "int8": ("quant/int8-layers", "mcuplan ops lists the types of each operator"),
    }
)


def quantization_findings(
    grids: Grids, seen: Calibrated | None, plan: Plan | None = None, *, real_ranges: bool
) -> Iterator[Finding]:
    """Findings of calibration and grids.

    Args:
        grids: of the model.
        seen: the samples that ranges were observed on; None: they come from elsewhere.
        plan: says what layers of int16 take; None: there is none yet.
        real_ranges: they are not made up.
    """
    if seen is not None and real_ranges:
        yield from calibration_findings(grids.graph, seen)
    yield from gap_findings(grids.graph.notes)
    yield from _of_types(grids, plan)
    for clipped in grids.clipped:
        yield Finding(
            "quant/bias-clipped",
            Severity.NOTE,
            f"{clipped.channels:,} channel{'s' if clipped.channels > 1 else ''} with a bias beyond"
            " int32, fitted to it",
            clipped.layer,
            "no output is off by more than a quarter of a step; mcuplan verify shows it",
        )
    for limit in cell_limits(grids.graph):
        yield Finding(
            "quant/cell-limit",
            Severity.NOTE,
            f"first outputs are kept within +-{limit.most:g}, which they may lie beyond"
            if limit.first
            else f"cells are kept within +-{limit.most:g}, which many steps could take them beyond",
            limit.node,
            f"mcuplan verify {'' if limit.first else 'on long sequences '}shows it; "
            f"{_real(limit.node)} has no limit",
        )
    yield from full_accumulators(full_sums(grids.graph))
    if real_ranges:
        yield from _mixed(mixed_ranges(grids.graph))
        yield from _coarse(coarse_steps(grids.graph))


def _of_types(grids: Grids, plan: Plan | None) -> Iterator[Finding]:
    """Layers of int16, or of int8 among such; those of float32 are islands."""
    for fact in grids.graph.notes:
        if isinstance(fact, InType) and fact.dtype in _TYPES:
            code, hint = _TYPES[fact.dtype]
            hint = "" if hint == CONVERSIONS_SHOWN and not fact.conversions else hint
            cost = ""
            if plan is not None and fact.dtype == DType.INT16:
                cost = cost_of_type(plan, DType.INT16)
            yield Finding(code, Severity.NOTE, words.note(fact) + cost, "", hint)


def block_findings(planned: Planned, narrow: Way | None, flash: int) -> Iterator[Finding]:
    """What became of weights that the file has in 4 bits by blocks, and what they take in 4 bits.

    Args:
        planned: the plan as it was asked for.
        narrow: the plan of 4 bits; None: nobody made it.
        flash: bytes of the plan as it was asked for.
    """
    moved, request = moved_weights(planned.grids.graph), planned.request
    for fact in planned.notes:
        if not isinstance(fact, FreeBlocks):
            continue
        asked = f"--weight-dtype int4 --weight-block {fact.block}"
        hint = ""
        if moved is not None:
            said = f"rounded to 4 bits anew, {moved.usual:.2f} steps off, at most {moved.most:.2f}"
            hint = "mcuplan verify shows what it costs"
            hint += f"; {asked}: as in the file" if request.weight_block != fact.block else ""
        else:
            said = "taken as real values, not in 4 bits"
            if request.dtype is DType.INT8:
                hint = f"{asked} rounds them to 4 bits anew, on scales there are"
            if narrow is not None:
                was, now = f"{flash:,} B", f"{narrow.flash_bytes:,} B"
                less = narrow.flash_bytes < flash
                hint = f"{asked}: flash {now}, {was} without (planned anew)" if less else ""
        yield Finding("quant/block-weights", Severity.NOTE, f"{words.note(fact)}; {said}", "", hint)


def full_accumulators(found: tuple[FullSums, ...]) -> Iterator[Finding]:
    """The fullest layer, and how many more there are."""
    if not found:
        return
    most = max(found, key=lambda sums: sums.share)
    more = f", those of {len(found) - 1} more layers nearly as much" if len(found) > 2 else ""
    more = ", that of 1 more layer nearly as much" if len(found) == 2 else more
    yield Finding(
        "quant/full-accumulator",
        Severity.NOTE,
        f"the sum of channel {most.channel} could reach {100 * most.share:.0f} % of int32{more}",
        most.node,
        "it cannot overflow; a wider layer or larger weights could not be computed",
    )


def _real(layer: str) -> str:
    """The option that computes a layer in float32."""
    return arguments((f"--layer-dtype {layer}=float32",))


def _coarse(found: tuple[CoarseSteps, ...]) -> Iterator[Finding]:
    for each in found:
        yield Finding(
            "quant/coarse-steps",
            Severity.WARNING,
            f"{each.operand} has steps of {each.times:.0f} times those of the sum: "
            f"{math.log2(each.times):.0f} of its 8 bits say nothing",
            each.node,
            "--quantize-effort best merges layers of one input; else "
            f"{_real(each.node)} and {_real(each.operand)} keep them",
        )


def _mixed(found: tuple[MixedRanges, ...]) -> Iterator[Finding]:
    """Outputs one by one, all that lies inside as one."""
    for each in found:
        if each.output is not None:
            yield Finding(
                "quant/mixed-ranges",
                Severity.WARNING,
                f"output {each.output}: Concat joins ranges of {each.least:.3g} and "
                f"{each.most:.3g} on one scale, {each.most / each.least:.0f} times apart",
                each.node,
                f"{_real(each.node)} keeps all of it; or {_apart(each.parts)}",
            )
    inside = [each for each in found if each.output is None]
    if inside:
        worst = max(inside, key=lambda each: each.most / each.least)
        many = "a Concat joins" if len(inside) == 1 else f"{len(inside)} Concats join"
        yield Finding(
            "quant/mixed-ranges",
            Severity.NOTE,
            f"{many} ranges up to {worst.most / worst.least:.0f} times apart on one scale",
            worst.node,
            "normalize the branches before they are joined; mcuplan verify shows what it costs",
        )


def _apart(parts: tuple[str, ...]) -> str:
    """How the inputs of a Concat become outputs of their own."""
    text = "make its inputs outputs of their own, each with its scale"
    if not 1 < len(parts) <= _NAMED:
        return text
    return f"{text}: {arguments(f'--cut-output {part}' for part in parts)}"
