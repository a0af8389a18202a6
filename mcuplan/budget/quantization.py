# SPDX-License-Identifier: Apache-2.0
"""What the grids of a model cost in precision, as far as it is known before anything runs."""

from __future__ import annotations

from collections.abc import Iterator

from mcuplan import words
from mcuplan.facts import InFloat
from mcuplan.findings import Finding, Severity
from mcuplan.passes.assign_grids import Grids
from mcuplan.passes.cell_limits import cell_limits
from mcuplan.passes.mixed_ranges import MixedRanges, mixed_ranges

__all__ = ["FEW_SAMPLES", "quantization_findings"]

_NAMED = 4
FEW_SAMPLES = 10
"""With n calibration samples one new input in n + 1 goes beyond a range at either end."""


def quantization_findings(grids: Grids, calibrated: int, *, real_ranges: bool) -> Iterator[Finding]:
    """Findings of calibration and grids.

    Args:
        grids: of the model.
        calibrated: samples that ranges were observed on; 0: they come from elsewhere.
        real_ranges: they are not made up.
    """
    if 0 < calibrated < FEW_SAMPLES:
        yield Finding(
            "quant/few-samples",
            Severity.WARNING,
            f"ranges were observed on {calibrated} sample{'s' if calibrated > 1 else ''}: one new "
            f"input in {calibrated + 1} is expected to go beyond them",
            hint=f"at least {FEW_SAMPLES} representative inputs, better 100 and more",
        )
    for fact in grids.graph.notes:
        if isinstance(fact, InFloat):
            hint = "each conversion is a layer of its own: --all shows what it takes"
            yield Finding("quant/float-layers", Severity.NOTE, words.note(fact), "", hint)
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
            f"--layer-dtype {limit.node}=float32 has no limit",
        )
    if real_ranges:
        yield from _mixed(mixed_ranges(grids.graph))


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
                f"--layer-dtype {each.node}=float32 keeps all of it; or {_apart(each.parts)}",
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
    return f"{text}: {' '.join(f'--cut-output {part}' for part in parts)}"
