# SPDX-License-Identifier: Apache-2.0
"""What the samples showed that ranges were observed on."""

from __future__ import annotations

from collections.abc import Iterator

from mcuplan import words
from mcuplan.calibrate import Calibrated
from mcuplan.calibrate.outliers import far_channels, outlier_channels, outlier_samples
from mcuplan.findings import Finding, Severity
from mcuplan.ir.graph import Graph
from mcuplan.record import (
    Calibration,
    IdleWeights,
    Loss,
    NearDead,
    ObserverTrial,
    RepairTrial,
    TypePoint,
)

__all__ = ["FEW_SAMPLES", "calibration_findings", "calibration_of"]

FEW_SAMPLES = 10
"""With n calibration samples one new input in n + 1 goes beyond a range at either end."""

_MANY_TIMES = 1e6  # a larger ratio is no more than large

_EQUALIZED = {
    False: "--quantize-effort normal equalizes channels",
    True: "--quantize-effort best gives inputs and outputs a scale for each channel",
}


def calibration_of(
    seen: Calibrated | None,
    near: tuple[NearDead, ...],
    idle: tuple[IdleWeights, ...],
    loss: Loss | None,
    types: tuple[TypePoint, ...],
) -> Calibration | None:
    """The report's object; None where ranges come from elsewhere, or from random samples."""
    if seen is None or seen.data.random:
        return None
    trials = tuple(ObserverTrial(each.observer, each.sqnr_db) for each in seen.trials)
    by_name = {each.observer: each.sqnr_db for each in trials}
    gain = round(by_name[seen.observer] - by_name["minmax"], 2) if trials else None
    repairs = tuple(
        RepairTrial(
            each.kind,
            round(each.before_db, 2),
            round(each.after_db, 2),
            each.samples,
            each.kept,
        )
        for each in seen.repairs
    )
    return Calibration(
        seen.samples, seen.held_back, seen.observer, gain, trials, repairs, near, idle, loss, types
    )


def calibration_findings(graph: Graph, seen: Calibrated) -> Iterator[Finding]:
    """Findings of samples that are no random ones; ``graph`` has its grids."""
    calibrated = seen.samples
    if calibrated < FEW_SAMPLES:
        yield Finding(
            "quant/few-samples",
            Severity.WARNING,
            f"ranges were observed on {calibrated} sample{'s' if calibrated > 1 else ''}: one new "
            f"input in {calibrated + 1} is expected to go beyond them",
            hint=f"at least {FEW_SAMPLES} representative inputs, better 100 and more",
        )
    yield from _outliers(graph, seen)
    yield from _observers(seen)
    yield from _repairs(seen)


def _outliers(graph: Graph, seen: Calibrated) -> Iterator[Finding]:
    """The worst tensor of each kind, or the first, and how many others there are."""
    samples = outlier_samples(graph, seen.extremes)
    if samples:
        worst = max(samples, key=lambda each: each.times)
        yield Finding(
            "quant/outlier-sample",
            Severity.WARNING,
            f"one of {seen.samples:,} samples makes the range {_times(worst.times, 1)} wider"
            f"{_others(len(samples) - 1)}",
            worst.tensor,
            f"--observer {worst.tensor}=percentile clips it, --observer auto tries; or leave the "
            "sample out, if it is no real input",
        )
    channels = outlier_channels(graph, seen.extremes)
    if channels:
        worst = max(channels, key=lambda each: each.times)
        yield Finding(
            "quant/outlier-channel",
            Severity.NOTE,
            f"channel {worst.channel} is {_times(worst.times)} as wide as a usual one, which has "
            f"{worst.left}{_others(len(channels) - 1)}",
            worst.tensor,
            f"{_EQUALIZED[worst.end]} where that pays; mcuplan verify shows what is left, "
            "--layer-dtype takes layers out of int8",
        )
    far = far_channels(graph, seen.extremes)
    if far:
        first = far[0]  # what lies behind follows
        yield Finding(
            "quant/far-channels",
            Severity.NOTE,
            f"the range is {_times(first.times)} what a usual channel varies by, which has "
            f"{first.left}{_others(len(far) - 1)}",
            first.tensor,
            "of an input: subtract the mean of each channel before the model; --quantize-effort "
            "normal moves others towards 0 where that pays; --layer-dtype takes layers out of int8",
        )


def _times(ratio: float, digits: int = 0) -> str:
    return f"{ratio:.{digits}f} times" if ratio < _MANY_TIMES else "over a million times"


def _others(many: int) -> str:
    return f"; so in {many} other tensor{'s' if many > 1 else ''}" if many else ""


def _observers(seen: Calibrated) -> Iterator[Finding]:
    """What was compared, the best first."""
    if not seen.trials:
        return
    order = sorted(seen.trials, key=lambda trial: (trial.observer != seen.observer, -trial.sqnr_db))
    rest = ", ".join(f"{trial.observer} {trial.sqnr_db:.1f}" for trial in order[1:])
    yield Finding(
        "quant/observer",
        Severity.NOTE,
        f"ranges by {seen.observer}: outputs with {order[0].sqnr_db:.1f} dB on {seen.held_back:,} "
        f"samples held back; {rest}",
        hint=f"--observer {seen.observer} on all samples does without the comparison",
    )


def _repairs(seen: Calibrated) -> Iterator[Finding]:
    """What was tried about the error of the grids, and what it was worth."""
    if seen.unrepaired is not None:
        near = seen.unrepaired
        yield Finding(
            "quant/repaired",
            Severity.NOTE,
            f"nothing was repaired: outputs of a typical sample have {near.sqnr_db:.1f} dB on"
            f" {near.samples:,} held back, nearly what rounding them alone leaves",
            hint="--quantize-effort fast does not compare; --repair KIND tries all the same",
        )
    if not seen.repairs:
        return
    first, kept = seen.repairs[0], [each.after_db for each in seen.repairs if each.kept]
    yield Finding(
        "quant/repaired",
        Severity.NOTE,
        f"outputs of a typical sample from {first.before_db:.1f} to "
        f"{kept[-1] if kept else first.before_db:.1f} dB on {first.samples:,} held back: "
        f"{'; '.join(map(words.repair, seen.repairs))}",
        hint="mcuplan verify shows it on samples of your own",
    )
