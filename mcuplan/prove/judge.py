# SPDX-License-Identifier: Apache-2.0
"""What of a comparison with the runtime is a finding, and which ones fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mcuplan.calibrate import Data
from mcuplan.findings import DEFECT_HINT, Finding, Severity
from mcuplan.ir.op import Tolerance
from mcuplan.prove.ends import Ends
from mcuplan.prove.outputs import OutputSeen
from mcuplan.prove.score import AUC, TOP_1, lost
from mcuplan.record import Accuracy

__all__ = ["Thresholds", "judged"]

_SHOWN = 4  # channels named in a message
_FINER = (
    "--quantize-effort best, or more representative inputs; --all shows the error of each layer, "
    "--layer-dtype NAME=float32 takes one out of int8"
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits of a verification: what is more than this is a finding and fails.

    Layers, and outputs in float32, have the limits of operator and type
    (:func:`~mcuplan.prove.compare.tolerances_of`). ``decisions`` is the least share of samples
    with the runtime's decision; below ``few`` samples, or choices in an output, one may differ.
    ``accuracy`` is in points (hundredths) of the score, ``auc`` likewise. Signal to noise of an
    output below ``min_sqnr`` dB fails, below ``good_sqnr`` it is a finding: 20 dB is an error of
    a tenth of the values, 10 dB of a third. Of scores with a larger share of ``ties`` labels say
    little. Where ranges are ``made_up``, which makes no good outputs and is said elsewhere,
    neither fails.
    """

    few: int = 200
    decisions: float = 0.99
    accuracy: float = 1.0
    auc: float = 5.0
    min_sqnr: float = 10.0
    good_sqnr: float = 20.0
    ties: float = 0.1
    made_up: bool = False


def judged(seen: Ends, data: Data, limits: Thresholds, *, quantized: bool) -> Iterator[Finding]:
    """Findings of all outputs.

    Labels decide on their output where their metric has a limit and our own scores decide, too:
    what has one score for all classes is right by chance; of a quantized model the share of equal
    decisions does. Everything else is judged by signal to noise.
    """
    yield from _decision_findings(seen.decisions, data.samples, limits, quantized=quantized)
    yield from _accuracy_findings(seen.accuracy, data, limits, quantized=quantized)
    decided = seen.scores if quantized else None
    few_ties = (seen.ties or 0) <= limits.ties * data.samples
    if not quantized and seen.accuracy is not None and seen.accuracy.metric in (TOP_1, AUC):
        decided = seen.labelled if few_ties else None
    for k, output in enumerate(seen.outputs):
        if output.constant:
            yield _constant(output.error.name, "the integers are the same", limits)
        elif output.tolerance is not None:
            yield from _off(output, output.tolerance)
        elif k != decided:
            yield from _noise(output, limits, quantized=quantized)
            if k not in seen.alike:
                yield from _channel_findings(output, limits)


def _constant(name: str, what: str, limits: Thresholds) -> Finding:
    return _of_ranges(
        "verify/constant-output",
        Severity.ERROR,
        f"{what} for every input, where ONNX Runtime's values vary",
        f"output {name}",
        "calibrate with inputs that vary; what a Concat joins with larger values keeps them with "
        "--layer-dtype CONCAT=float32 (quant/mixed-ranges names it), or as an output of its own",
        limits,
    )


def _of_ranges(
    code: str, severity: Severity, message: str, where: str, hint: str, limits: Thresholds
) -> Finding:
    """A finding that the ranges of the calibration decide."""
    if limits.made_up:
        severity, hint = Severity.WARNING, "calibrate with real inputs"
    return Finding(code, severity, message, where, hint)


def _level(decibels: float | None, limits: Thresholds) -> Severity | None:
    if decibels is None or decibels >= max(limits.min_sqnr, limits.good_sqnr):
        return None
    return Severity.ERROR if decibels < limits.min_sqnr else Severity.WARNING


def _noise(output: OutputSeen, limits: Thresholds, *, quantized: bool) -> Iterator[Finding]:
    """An output as a whole; one that is zero in the float model may be one step off."""
    error = output.error
    severity = _level(error.sqnr_db, limits)
    if severity is None or error.sqnr_db is None or output.is_zero:
        return
    said = f"signal to noise {error.sqnr_db:.1f} dB against ONNX Runtime"
    if output.choices is not None:  # as a decision made outside of the model
        differing, many = output.choices
        severity = Severity.WARNING if differing == 1 and many < limits.few else severity
        said = f"{differing} of {many} choices differ from ONNX Runtime's, {error.sqnr_db:.1f} dB"
    yield _of_ranges(
        "verify/sqnr",
        severity,
        f"{said}, {_wanted(severity, limits)}",
        f"output {error.name}",
        "--all shows the error of each layer" if quantized else _FINER,
        limits,
    )


def _off(output: OutputSeen, tolerance: Tolerance) -> Iterator[Finding]:
    """A float32 output, which only the order of operations may change."""
    decibels = output.error.sqnr_db
    if decibels is not None and decibels < tolerance.decibels and not output.is_zero:
        yield Finding(
            "verify/sqnr",
            Severity.ERROR,
            f"signal to noise {decibels:.1f} dB against ONNX Runtime, float32 has"
            f" {tolerance.decibels:.0f} dB at least",
            f"output {output.error.name}",
            DEFECT_HINT,
        )


def _wanted(severity: Severity, limits: Thresholds) -> str:
    if severity is Severity.ERROR:
        return f"limit {limits.min_sqnr:g} dB (--min-sqnr)"
    return f"{limits.good_sqnr:g} dB is good"


def _channel_findings(output: OutputSeen, limits: Thresholds) -> Iterator[Finding]:
    """Channels whose ranges are far apart, each on its own."""
    name, axis = output.error.name, output.error.channel_axis
    if output.constant_channels:
        what = f"{_named(output.constant_channels, axis)}: one integer"
        yield _constant(name, what, limits)
    silent = frozenset(output.constant_channels)
    for severity in (Severity.ERROR, Severity.WARNING):
        found = {
            channel.index: channel.sqnr_db
            for channel in output.error.channels
            if channel.index not in silent and not output.is_zero_channel(channel)
            if channel.sqnr_db is not None and _level(channel.sqnr_db, limits) is severity
        }
        if not found:
            continue
        yield _of_ranges(
            "verify/sqnr",
            severity,
            f"{_named(list(found), axis)}: signal to noise {min(found.values()):.1f} dB against "
            f"ONNX Runtime, {_wanted(severity, limits)}",
            f"output {name}",
            "channels of far smaller range than others need --layer-dtype CONCAT=float32, or an "
            "output of their own (--cut-output); of class scores, labels decide",
            limits,
        )


def _named(channels: Sequence[int], axis: int | None) -> str:
    shown = ", ".join(map(str, channels[:_SHOWN]))
    more = f" and {len(channels) - _SHOWN} more" if len(channels) > _SHOWN else ""
    return f"channel{'s' if len(channels) > 1 else ''} {shown}{more} of axis {axis}"


def _decision_findings(
    decisions: float | None, samples: int, limits: Thresholds, *, quantized: bool
) -> Iterator[Finding]:
    if decisions is None or not quantized:
        return
    differing = round((1 - decisions) * samples)
    allowed = 1 if samples < limits.few else int((1 - limits.decisions) * samples)
    if differing > allowed:
        yield Finding(
            "verify/accuracy",
            Severity.ERROR,
            f"{differing} of {samples} decisions differ from ONNX Runtime, {allowed} allowed",
        )


def _accuracy_findings(
    accuracy: Accuracy | None, data: Data, limits: Thresholds, *, quantized: bool
) -> Iterator[Finding]:
    if accuracy is None or accuracy.float_ is None or quantized:
        return
    if accuracy.metric == AUC:
        allowed = limits.auc / 100
    elif accuracy.metric == TOP_1:
        count = data.samples if data.groups is None else int(data.groups.max()) + 1
        allowed = 1.001 / count if count < limits.few else limits.accuracy / 100
    else:
        return
    worse = lost(accuracy.metric, accuracy.float_, accuracy.integer)
    if worse > allowed + 1e-9:
        yield Finding(
            "verify/accuracy",
            Severity.ERROR,
            f"{accuracy.metric} falls from {accuracy.float_:.4f} to {accuracy.integer:.4f}",
            hint=_FINER,
        )
