# SPDX-License-Identifier: Apache-2.0
"""Every output is judged on its own: signal to noise, channels apart, decisions, labels."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nets import Net

from mcuplan import pipeline
from mcuplan.calibrate import Data, read_data
from mcuplan.errors import DataError
from mcuplan.ir.graph import Port
from mcuplan.ir.types import Array, DType
from mcuplan.prove.ends import Ends
from mcuplan.prove.evidence import Agreement, against_runtime
from mcuplan.prove.judge import Thresholds, judged
from mcuplan.prove.outputs import OutputTally
from mcuplan.prove.roc import auc
from mcuplan.prove.score import AUC, Labelled, Score, decided, tied
from mcuplan.record import Request
from mcuplan.targets import load_target

TARGET = replace(load_target("cortex-m4"), backend="c99")


def _seen(
    net: Net,
    outputs: list[str],
    folder: Path,
    samples: Array,
    labels: Array | None = None,
    limits: Thresholds | None = None,
    calibration: Array | None = None,
) -> Agreement:
    """A float network calibrated and compared on samples."""
    path = folder / "net.onnx"
    path.write_bytes(net.model(*outputs).SerializeToString())
    extras = {} if labels is None else {"labels": labels}
    np.savez(folder / "data.npz", x=samples, **extras)
    np.savez(folder / "calibration.npz", x=samples if calibration is None else calibration)
    planned = pipeline.plan(Request(path, TARGET, calibration=folder / "calibration.npz"))
    data = read_data(folder / "data.npz", planned.model.graph.inputs)
    graph = planned.removal.whole
    return against_runtime(path, graph, data, quantized=False, limits=limits)


def _codes(seen: Agreement) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity.value) for finding in seen.findings]


def _head(scores: float, *, apart: bool, axis: int = 2) -> tuple[Net, list[str]]:
    """Boxes of 0 to 61 and scores from 0 to ``scores``, in one output or in two."""
    net = Net((1, 12, 2))
    boxes = net.add("Mul", net.add("Sigmoid", "x"), net.const(61.0))
    score = net.add("Mul", net.add("Sigmoid", net.add("Neg", "x")), net.const(scores))
    if apart:
        return net, [boxes, score]
    outputs = net.add("Concat", boxes, score, axis=2)
    if axis == 1:
        outputs = net.add("Transpose", outputs, perm=[0, 2, 1])
    return net, [outputs]


@pytest.mark.parametrize("axis", [1, 2])
def test_boxes_and_scores_of_one_scale_fail(axis: int, tmp_path: Path) -> None:
    """Scores that share the scale of boxes are noise: channels are judged one by one."""
    net, outputs = _head(0.3, apart=False, axis=axis)
    seen = _seen(net, outputs, tmp_path, net.samples(20))
    (error,) = seen.outputs
    assert error.sqnr_db is not None
    assert error.sqnr_db > 20
    assert axis == error.channel_axis
    assert [0, 1, 2, 3] == [channel.index for channel in error.channels]
    assert all((channel.sqnr_db or 0) < 10 for channel in error.channels[2:])
    assert ("verify/sqnr", "error") in _codes(seen)
    assert any("channels 2, 3" in finding.message for finding in seen.findings)
    assert seen.decisions is None


def test_scores_without_any_resolution_are_constant(tmp_path: Path) -> None:
    """A channel of one integer is an error, though the output as a whole has little noise."""
    net, outputs = _head(0.1, apart=False)
    seen = _seen(net, outputs, tmp_path, net.samples(20))
    assert [("verify/constant-output", "error")] == _codes(seen)
    assert "channels 2, 3" in seen.findings[0].message


def test_the_same_head_with_two_outputs_passes(tmp_path: Path) -> None:
    """Each output has its own scale: nothing to find."""
    net, outputs = _head(0.1, apart=True)
    seen = _seen(net, outputs, tmp_path, net.samples(20))
    assert () == seen.findings
    assert all((error.sqnr_db or 0) > 30 and not error.channels for error in seen.outputs)


def test_signal_to_noise_is_that_of_its_definition(tmp_path: Path) -> None:
    """10 log10 of the sum of squares over that of the differences; the error is the largest."""
    net = Net((1, 3, 5))
    path, output = tmp_path / "net.onnx", net.add("Mul", "x", net.random(3, 5))
    samples = net.samples(50)
    seen = _seen(net, [output], tmp_path, samples)
    planned = pipeline.plan(Request(path, TARGET, calibration=tmp_path / "calibration.npz"))
    tensors = planned.removal.whole.tensors
    (port,), (source,) = planned.removal.whole.outputs, planned.removal.whole.inputs
    factor = next(t for t in planned.floating.tensors.values() if t.data is not None).data
    wanted = samples.astype(np.float64) * factor
    assert tensors[source.tensor].type.q.s > 0
    step = tensors[port.tensor].type.q.s
    assert step / 3 < seen.outputs[0].max_error < 3 * step
    noise = step**2 * wanted.size / 12
    expected = 10 * math.log10(np.square(wanted).sum() / noise)
    assert abs(expected - (seen.outputs[0].sqnr_db or 0)) < 6


def test_the_worst_samples_are_those_that_are_furthest_off(tmp_path: Path) -> None:
    """Samples beyond the range of calibration are named, worst first, by their place."""
    net = Net((1, 4))
    out = net.add("Mul", "x", net.const(0.5))
    samples = np.random.default_rng(4).uniform(-1, 1, (70, 1, 4)).astype(np.float32)
    calibration = samples.copy()
    samples[[66, 3, 40]] *= np.array([9, 7, 5], np.float32)[:, None, None]
    seen = _seen(net, [out], tmp_path, samples, calibration=calibration)
    assert [66, 3, 40] == [each.sample for each in seen.worst[:3]]
    assert sorted(seen.worst, key=lambda each: -each.steps) == list(seen.worst)
    assert 5 >= len(seen.worst)
    step = np.ptp(calibration) / 2 / 255
    off = np.abs(samples[66] / 2).max() - np.abs(calibration / 2).max()
    assert seen.worst[0].steps == pytest.approx(off / step, rel=0.01)


def test_limits_are_those_that_were_asked_for(tmp_path: Path) -> None:
    """Below the limit is an error, below 20 dB a warning, above nothing.

    Samples are that much narrower than the range, which holds what a Relu leaves of them.
    """
    net = Net((1, 8, 4))
    output = net.add("Relu", "x")
    samples = net.samples(20)
    found = {}
    for spread in (1.0, 40.0, 100.0):
        wide = np.concatenate([samples, samples * spread])
        seen = _seen(net, [output], tmp_path, samples, calibration=wide)
        found[spread] = (seen.outputs[0].sqnr_db or 0, _codes(seen))
    assert found[1.0][0] > 20
    assert [] == found[1.0][1]
    assert 10 < found[40.0][0] < 20
    assert [("verify/sqnr", "warning")] == found[40.0][1]
    assert found[100.0][0] < 10
    assert ("verify/sqnr", "error") in found[100.0][1]
    limits = Thresholds(min_sqnr=found[1.0][0] + 1)
    strict = _seen(net, [output], tmp_path, samples, limits=limits)
    assert [("verify/sqnr", "error")] == _codes(strict)
    lax = _seen(net, [output], tmp_path, samples, limits=Thresholds(min_sqnr=0), calibration=wide)
    assert ("verify/sqnr", "warning") in _codes(lax)


@pytest.mark.parametrize(("labelled", "softmax"), [(False, False), (False, True), (True, False)])
def test_only_class_scores_are_decided(labelled: bool, softmax: bool, tmp_path: Path) -> None:
    """Decisions are compared behind a Softmax, or with integer labels; not of a regression."""
    net = Net((1, 6))
    output = net.add("Gemm", "x", net.random(6, 4))
    output = net.add("Softmax", output) if softmax else output
    labels = np.arange(20) % 4 if labelled else None
    seen = _seen(net, [output], tmp_path, net.samples(20), labels)
    assert (labelled or softmax) == (seen.decisions is not None)
    assert labelled == (seen.accuracy is not None)


def test_labels_are_for_the_output_that_they_fit(tmp_path: Path) -> None:
    """Class labels of a model with boxes in front of its class scores."""
    net = Net((1, 6))
    boxes = net.add("Reshape", net.add("Gemm", "x", net.random(6, 8)), net.const([1, 2, 4], int))
    scores = net.add("Gemm", "x", net.random(6, 4))
    labels = np.arange(20) % 4
    seen = _seen(net, [boxes, scores], tmp_path, net.samples(20), labels)
    assert seen.accuracy is not None
    assert "top-1" == seen.accuracy.metric
    with pytest.raises(DataError, match="fit no output"):
        _seen(net, [boxes], tmp_path, net.samples(20), labels)


@pytest.mark.parametrize("differing", [1, 2])
def test_one_of_few_choices_may_differ(differing: int) -> None:
    """As a decision that is made outside of the model; two of eight fail."""
    port = Port("y", "t", (1,), dtype=DType.INT64, whole=True)
    tally = OutputTally(port, 1.0, quantized=False)
    theirs = np.arange(8.0).reshape(8, 1)
    tally.update(theirs, np.where(theirs < differing, theirs + 1, theirs))
    seen = tally.result()
    assert (differing, 8) == seen.choices
    ends = Ends(None, None, None, None, None, None, (seen,), frozenset())
    (finding,) = judged(ends, Data({}, 8), Thresholds(), quantized=False)
    assert ("warning" if differing == 1 else "error") == finding.severity.value
    assert f"{differing} of 8 choices" in finding.message


def test_float_labels_do_not_hide_noise(tmp_path: Path) -> None:
    """A mean absolute error has no limit of its own: signal to noise decides."""
    net = Net((1, 8))
    samples = net.samples(20)
    wide = np.concatenate([samples, samples * 200])
    output = net.add("Relu", "x")
    labels = np.maximum(samples, 0)
    seen = _seen(net, [output], tmp_path, samples, labels, calibration=wide)
    assert seen.accuracy is not None
    assert "mean absolute error" == seen.accuracy.metric
    assert ("verify/sqnr", "error") in _codes(seen)


def test_labels_decide_on_their_output(tmp_path: Path) -> None:
    """Noise of logits that keeps every decision is shown and no finding."""
    net = Net((1, 4))
    samples = np.eye(4, dtype=np.float32)[np.arange(20) % 4]
    wide = np.concatenate([samples, samples * 300])
    output = net.add("Relu", "x")
    plain = _seen(net, [output], tmp_path, samples, calibration=wide)
    labels = np.arange(20) % 4
    assert plain.findings
    seen = _seen(net, [output], tmp_path, samples, labels, calibration=wide)
    assert seen.outputs == plain.outputs
    assert seen.accuracy is not None
    assert (1.0, 1.0) == (seen.accuracy.float_, seen.accuracy.integer)
    assert not {"verify/sqnr"} & {code for code, _ in _codes(seen)}


def test_a_constant_program_is_never_right(tmp_path: Path) -> None:
    """An output of one integer for all samples fails, with labels as without."""
    net = Net((1, 4))
    samples = net.samples(20)
    wide = np.concatenate([samples, samples * 3000])
    logits = net.add("Relu", "x")
    for labels in (None, np.arange(20) % 4):
        seen = _seen(net, [logits], tmp_path, samples, labels, calibration=wide)
        assert any(severity == "error" for _, severity in _codes(seen))
        assert (20 if labels is not None else None) == seen.ties


def test_the_first_of_equals_decides() -> None:
    """As in firmware, for both sides; how many samples are tied is counted."""
    theirs = np.array([[1, 2, 0], [2, 2, 0], [2, 2, 0], [2, 1, 0]])
    mine = np.array([[2, 2, 0], [2, 2, 0], [1, 2, 0], [3, 1, 0]])
    assert [False, True, False, True] == (decided(mine) == decided(theirs)).tolist()
    assert [True, True, False, False] == tied(mine).tolist()


@pytest.mark.parametrize("size", [1, 4, 30])
@pytest.mark.parametrize("grouped", [False, True])
def test_scores_of_blocks_are_those_of_the_whole(size: int, grouped: bool) -> None:
    """Top-1 of all samples, or of the means of groups, however the samples come."""
    rng = np.random.default_rng(4)
    theirs, mine = rng.standard_normal((2, 30, 5))
    groups = np.arange(30) % 7 if grouped else None
    labels = rng.integers(0, 5, 7 if grouped else 30)
    tally = Score("top-1", Labelled(labels, groups), 5)
    for start in range(0, 30, size):
        part = slice(start, start + size)
        tally.update(start, theirs[part], mine[part], theirs[part])
    expected = []
    for values in (theirs, mine):
        if groups is not None:
            values = np.stack([values[groups == g].mean(axis=0) for g in range(7)])
        expected.append(float((values.argmax(axis=1) == labels).mean()))
    found = tally.result()
    assert (found.float_, found.integer) == pytest.approx(tuple(expected))


def test_auc_counts_pairs() -> None:
    """The share of pairs in order, ties half; the metric of outputs like the input."""
    rng = np.random.default_rng(5)
    scores, labels = rng.integers(0, 6, 40).astype(float), rng.integers(0, 2, 40)
    pairs = [(p, n) for p in scores[labels == 1] for n in scores[labels == 0]]
    wanted = sum((p > n) + (p == n) / 2 for p, n in pairs) / len(pairs)
    assert auc(scores, labels) == pytest.approx(wanted)
    held = Labelled(labels[:7], np.arange(14) % 7)
    assert held.metric((1, 8), (1, 8)) == AUC


def test_few_samples_of_one_answer_are_no_fault(tmp_path: Path) -> None:
    """Outputs that differ by less than a step may well have one integer."""
    net = Net((1, 4))
    output = net.add("Relu", "x")
    wide = net.samples(20) * 10
    alike = 5 + net.samples(3) * np.float32(1e-3)
    seen = _seen(net, [output], tmp_path, alike, calibration=wide)
    assert () == seen.findings


@pytest.mark.parametrize(("samples", "judged"), [(7, False), (8, True)])
def test_channels_are_judged_by_eight_values(samples: int, judged: bool) -> None:
    """A channel that was seen a few times only is not judged on its own."""
    theirs = np.stack([np.linspace(0, 60, samples), np.linspace(0, 1, samples)], axis=1)
    mine = theirs.copy()
    mine[:, 1] = 0.5
    tally = OutputTally(Port("out", "out", (1, 2), DType.FLOAT32), 0.25, quantized=False)
    tally.update(theirs, mine)
    assert judged == bool(tally.result().error.channels)
    assert judged == (tally.result().constant_channels == (1,))


def test_probabilities_are_of_one_kind(tmp_path: Path) -> None:
    """Classes that hardly occur are small beside the others, not noise of their own."""
    net = Net((1, 3, 4))
    shift = net.const(np.array([0, 0, -9, -12]))
    output = net.add("Sigmoid", net.add("Add", "x", shift))
    seen = _seen(net, [output], tmp_path, net.samples(20))
    assert seen.outputs[0].channels
    assert () == seen.findings


def test_parts_of_data_hold_all_samples() -> None:
    """Blocks of samples are those of the whole, in order."""
    data = Data({"x": np.arange(35).reshape(7, 5)}, 7)
    for size in (1, 3, 7, 99):
        parts = list(data.parts(size))
        assert [start for start, _ in parts] == list(range(0, 7, size))
        joined = np.concatenate([part.inputs["x"] for _, part in parts])
        assert np.array_equal(joined, data.inputs["x"])
        assert 7 == sum(part.samples for _, part in parts)
    assert 3 == data.first(3).samples
