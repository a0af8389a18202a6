# SPDX-License-Identifier: Apache-2.0
"""Layers are compared together and alone, classes one by one, and what saturates is counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nets import Net

from mcuplan import pipeline
from mcuplan.calibrate import read_data
from mcuplan.ir.types import Array
from mcuplan.prove.evidence import Agreement, against_runtime
from mcuplan.prove.roc import auc
from mcuplan.prove.score import TOP_1, Labelled, Score
from mcuplan.record import ByClass, LayerNoise, Request
from mcuplan.targets import load_target

TARGET = replace(load_target("cortex-m4"), backend="c99")


def _seen(net: Net, output: str, folder: Path, calibration: Array, samples: Array) -> Agreement:
    path = folder / "net.onnx"
    path.write_bytes(net.model(output).SerializeToString())
    np.savez(folder / "calibration.npz", x=calibration)
    np.savez(folder / "data.npz", x=samples)
    planned = pipeline.plan(Request(path, TARGET, calibration=folder / "calibration.npz"))
    data = read_data(folder / "data.npz", planned.model.graph.inputs)
    return against_runtime(path, planned.removal.whole, data, quantized=False)


def _noise(seen: Agreement) -> list[LayerNoise]:
    return [each.noise for each in seen.layers.values() if each.noise is not None]


def test_noise_adds_up_along_the_layers(tmp_path: Path) -> None:
    """Of ten layers each is as noisy alone as the others; together the last one is the worst."""
    net = Net((1, 4, 8, 8))
    x = "x"
    for _ in range(10):
        x = net.add("Relu", net.conv(x, 4, 4))
    samples = net.samples(40)
    noise = _noise(_seen(net, x, tmp_path, samples, samples))
    assert len(noise) >= 10
    assert noise[0].sqnr_db == pytest.approx(noise[0].alone_db, abs=1.0)
    last = noise[-1]
    assert last.alone_db is not None
    assert last.sqnr_db is not None
    assert last.sqnr_db < last.alone_db - 3.0
    assert all(each.saturated == 0.0 for each in noise)


def test_the_layer_that_loses_most_is_named(tmp_path: Path) -> None:
    """A difference of two large maps is the worst layer alone, and the report says so."""
    net = Net((1, 3, 6, 6))
    weights, apart = np.random.default_rng(1).normal(size=(2, 4, 3, 1, 1)).astype(np.float32)
    both = (weights, weights + 0.02 * apart)
    one, other = (net.add("Conv", "x", net.const(each)) for each in both)
    rest = net.add("Sub", net.add("Relu", other), net.add("Relu", one))
    samples = net.samples(40)
    seen = _seen(net, net.conv(net.conv(rest, 4, 4), 4, 2), tmp_path, samples, samples)
    alone = {n: e.noise.alone_db for n, e in seen.layers.items() if e.noise is not None}
    worst = min(alone, key=lambda name: alone[name] or 0.0)
    assert rest == worst
    (told,) = (f for f in seen.findings if f.code == "verify/sensitive-layers")
    assert "alone: node_sub" in told.message
    assert "--layer-dtype node_sub" in told.hint


def test_values_beyond_the_grid_are_counted(tmp_path: Path) -> None:
    """Inputs four times as large as those of the calibration saturate, and that is told."""
    net = Net((1, 3, 6, 6))
    samples = net.samples(60)
    x = "x"
    for wide in (3, 4, 4, 4):
        x = net.add("Relu", net.conv(x, wide, 4))
    seen = _seen(net, x, tmp_path, samples, 4.0 * samples)
    assert max(each.saturated for each in _noise(seen)) > 0.05
    told = [f for f in seen.findings if f.code == "verify/saturated"]
    assert 1 == len(told)
    assert "beyond the grid" in told[0].message
    assert [f for f in seen.findings if f.code == "verify/sensitive-layers"]


@pytest.mark.parametrize("op", ["Softmax", "HardSwish", "Sigmoid"])
def test_what_a_reader_does_not_tell_apart_is_no_noise(op: str, tmp_path: Path) -> None:
    """Logits far below the largest of their sample, or on the flat part, lie on the grid."""
    net = Net((1, 12))
    samples = 8.0 * net.samples(60)
    samples[::4] += 40.0
    seen = _seen(net, net.add(op, net.add("Neg", "x")), tmp_path, samples, samples)
    assert all(each.alone_db is not None and each.alone_db > 20.0 for each in _noise(seen))
    assert not [f for f in seen.findings if f.code == "verify/layer-error"]


def test_a_good_model_has_no_such_findings(tmp_path: Path) -> None:
    """On samples like those of the calibration nothing is said of layers."""
    net = Net((1, 3, 6, 6))
    samples = net.samples(60)
    seen = _seen(net, net.conv("x", 3, 4), tmp_path, samples, samples)
    assert not [f for f in seen.findings if f.code.startswith("verify/s")]


def _by_class(labels: Array, theirs: Array, mine: Array, step: int = 3) -> ByClass:
    score = Score(TOP_1, Labelled(labels, None), theirs.shape[1])
    for at in range(0, len(labels), step):
        score.update(at, theirs[at : at + step], mine[at : at + step], mine[at : at + step])
    found = score.result().classes
    assert found is not None
    return found


def _f1(labels: Array, named: Array) -> float:
    """By its definition, class by class."""
    found = []
    for c in sorted({*labels.tolist(), *named.tolist()}):
        both = int(((labels == c) & (named == c)).sum())
        precision = both / max(1, int((named == c).sum()))
        recall = both / max(1, int((labels == c).sum()))
        found.append(2 * precision * recall / (precision + recall) if both else 0.0)
    return float(np.mean(found))


@given(seed=st.integers(0, 2**32), classes=st.integers(2, 6), samples=st.integers(1, 40))
def test_classes_by_their_definitions(seed: int, classes: int, samples: int) -> None:
    """Recall, worst class, F1 and AUC are those of the decisions, in blocks of any size."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, samples)
    theirs, mine = random.permuted(
        np.tile(np.arange(classes, dtype=np.float64), (2, samples, 1)), axis=2
    )  # no ties
    found = _by_class(labels, theirs, mine)
    for scores, f1 in ((theirs, found.f1_float), (mine, found.f1_integer)):
        assert _f1(labels, scores.argmax(axis=1)) == pytest.approx(f1)
    recalls = {}
    for each in found.recalls:
        of = labels == each.index
        assert each.samples == int(of.sum()) > 0
        assert each.float_ == pytest.approx(float((theirs[of].argmax(axis=1) == each.index).mean()))
        assert each.integer == pytest.approx(float((mine[of].argmax(axis=1) == each.index).mean()))
        recalls[each.index] = each.integer
    assert set(labels.tolist()) == set(recalls)
    assert recalls[found.worst] == min(recalls.values())
    if classes == 2 and len(recalls) == 2:
        assert auc(mine[:, 1] - mine[:, 0], labels) == found.auc_integer
    else:
        assert found.auc_integer is None


def test_a_tie_is_a_decision_for_the_first_class() -> None:
    """Recall counts it as top-1 does, which is as firmware decides."""
    labels = np.array([0, 0, 1, 1])
    theirs = np.array([[2.0, 1.0], [2.0, 1.0], [1.0, 2.0], [1.0, 2.0]])
    mine = np.array([[2.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 2.0]])
    found = _by_class(labels, theirs, mine)
    assert [1.0, 0.5] == [each.integer for each in found.recalls]
    assert 1 == found.worst


def test_samples_whose_decision_changed_are_listed(tmp_path: Path) -> None:
    """By their index in the data, whatever the blocks they were seen in."""
    net = Net((1, 3, 6, 6))
    x = net.add("GlobalAveragePool", net.conv("x", 3, 8))
    output = net.add("Softmax", net.add("Flatten", x), axis=1)
    samples = net.samples(200)
    seen = _seen(net, output, tmp_path, samples[:20], samples)
    assert seen.decisions is not None
    assert round((1 - seen.decisions) * 200) == len(seen.changed) == len(set(seen.changed))
    assert list(seen.changed) == sorted(seen.changed)
