# SPDX-License-Identifier: Apache-2.0
"""The scripts of docs/examples do what their pages say."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from itertools import islice
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest

import mcuplan

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "docs" / "examples"


def _loaded(name: str, patch: pytest.MonkeyPatch) -> ModuleType:
    spec = spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    patch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_variants_are_valid_small_and_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are those of every run, of four families, and none has more than thirty layers."""
    example = _loaded("variants", monkeypatch)
    made = list(example.variants(16))
    for one in made:
        onnx.checker.check_model(one.model, full_check=True)
    assert {"mobilenet", "inverted", "dscnn", "resnet"} == {m.name[:-5] for m in made}
    assert 16 == len({one.model.SerializeToString(deterministic=True) for one in made})
    again = [one.model for one in islice(example.variants(), 3)]
    assert [one.model for one in made[:3]] == again
    layers = [one.layers for one in example.variants(200)]
    assert max(layers) <= example.MOST_LAYERS


@pytest.mark.slow
def test_a_search_ends_with_a_network_that_is_proved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host_gcc: str
) -> None:
    """Networks are priced before they are trained, one that does not fit is not, one seed is one
    result, and the winner's code gives the bytes of its reference.
    """
    for package in ("optuna", "sklearn"):
        pytest.importorskip(package)
    monkeypatch.syspath_prepend(EXAMPLES)
    example = _loaded("digits_search", monkeypatch)
    monkeypatch.setattr(example, "ProcessPoolExecutor", lambda *_: ThreadPoolExecutor(1))
    large = [example.Layer(64), example.Layer(64)]
    assert 1 < example.excess(example.priced(example.Candidate(large, False, 0.01).network()))
    best, counts = example.searched(trials=2, epochs=1)
    assert (best, counts) == example.searched(trials=2, epochs=1)
    network, _, _ = example.trained(best, epochs=10)
    found = example.figures(example.proved(network, tmp_path, ["host"]))
    assert ("fits", 2) == (found["verdict"], counts["trained"])
    assert 0.25 < found["accuracy"] <= 1.0
    assert found["ram_bytes"] <= 8 << 10
    assert found["flash_bytes"] <= 24 << 10


def test_the_winner_of_the_search_is_what_the_readme_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its figures are those that the search left, and a network of its layers is as large."""
    found = json.loads((EXAMPLES / "digits_search.json").read_text("utf-8"))
    text = " ".join((ROOT / "README.md").read_text("utf-8").split())
    assert f"{100 * found['accuracy']:.1f} % of 500 images" in text
    for figure, word in (
        ("ram_bytes", "B of RAM"),
        ("flash_bytes", "B of flash"),
        ("cycles", "cycles"),
    ):
        assert f"{found[figure]:,} {word}" in text
    monkeypatch.syspath_prepend(EXAMPLES)
    cnn = _loaded("small_cnn", monkeypatch)
    layers = [cnn.Layer(**layer) for layer in found["layers"]]
    network = cnn.Network.of((8, 8, 1), layers, 10, found["flat"], 1)
    limits = {"max_ram": "8K", "max_flash": "24K", "effort": "fast"}
    report = mcuplan.check(cnn.to_onnx(network, (8, 8, 1)), "stm32g071", **limits)
    assert "fits" == report.verdict.status.value
    assert (found["macs"], found["parameters"]) == (report.totals.macs, report.totals.parameters)


def test_networks_learn_along_their_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """What training follows is the slope of the scores, of every kind of layer."""
    cnn = _loaded("small_cnn", monkeypatch)
    kinds = [{}, {"depthwise": True}, {"kernel": 1}, {"adds": True}, {"stride": 2}]
    for flat in (False, True):
        layers = [cnn.Layer(4, **kind) for kind in kinds]
        network = cnn.Network.of((6, 6, 2), layers, 3, flat, 1)
        for one in network.convolutions:
            one.weights, one.gain, one.shift = (
                np.float64(value) for value in (one.weights, one.gain, one.shift)
            )
        network.dense, network.bias = np.float64(network.dense), np.float64(network.bias)
        random = np.random.default_rng(2)
        images, along = random.random((4, 6, 6, 2)), random.standard_normal((4, 3))
        _, features = network.forward(images, training=True)
        shape = network.convolutions[-1].kept["on"].shape
        slopes = network.backward(along, features, shape)
        for values, slope in zip(network.parameters(), slopes, strict=True):
            place = tuple(random.integers(0, size) for size in values.shape)
            ends = []
            for step in (1e-7, -2e-7):
                values[place] += step
                ends.append((network.forward(images, training=True)[0] * along).sum())
            values[place] += 1e-7
            np.testing.assert_allclose((ends[0] - ends[1]) / 2e-7, slope[place], 1e-3, 1e-5)


def test_throughput_compares_the_first_and_the_last_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of a sweep that gets slower, how much; rows are lines of segments but for their heads."""
    monkeypatch.syspath_prepend(EXAMPLES)
    example = _loaded("throughput", monkeypatch)
    moments = [example.Moment(0, 0.0, 1.0, 0)]
    moments += [example.Moment(n, n / 100, 1 + n / 100, 2048) for n in range(500, 5001, 500)]
    moments += [example.Moment(n, n / 50, n / 50 - 49, 4096) for n in range(5500, 8001, 500)]
    lines = example.said(moments, 100, 2)
    assert "8,000 rows of 100 models in 2.7 min, 2 processes" == lines[0]
    assert "at most 4 MiB for a process" == lines[2]
    assert lines[3].endswith("10.0 ms of a core each, the last: 20.0 ms (+100.0 %)")
    counted, segment = example._Lines(tmp_path), tmp_path / "rows-000001.jsonl"
    segment.write_bytes(b"head\none\nto")
    assert 1 == counted.count()
    segment.write_bytes(b"head\none\ntorn\n")
    assert 2 == counted.count()


def test_a_simulated_sweep_takes_as_long_as_its_slowest_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where one part alone takes time, that is known beforehand; deaths and stragglers add."""
    example = _loaded("cluster", monkeypatch)
    costs = example.Costs([1.0], 27, 0.0, 0.0, 0.0, 0.0, 0.0, spread=0.0, deaths=0.0)
    found = example.simulated(costs, 6400, 64)
    assert (100.0, 1.0, "workers") == (found.total, found.busy, found.limit)
    hub = replace(costs, tasks=[0.01], hub=0.01)
    found = example.simulated(hub, 6400, 64)
    assert "client and scheduler" == found.limit
    assert 64.0 == pytest.approx(found.total)
    client = replace(costs, tasks=[0.01], prepare=0.1, write=0.01)
    assert 6400 * (0.1 + 27 * 0.01) + 1 == pytest.approx(example.simulated(client, 6400, 64).total)
    late = example.simulated(replace(costs, tasks=[1.0] * 99 + [100.0]), 640, 64)
    assert ("stragglers", True) == (late.limit, late.tail > 60)
    dying = example.simulated(replace(costs, deaths=0.2, start=5.0), 6400, 64)
    assert (0, True) == (found.begun_again, dying.begun_again > 1000)
    assert dying.given_up > 0
    assert dying.total > 150
    assert found == example.simulated(hub, 6400, 64)


def test_the_page_says_what_the_simulation_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the times that were measured, and kept beside it."""
    example = _loaded("cluster", monkeypatch)
    monkeypatch.setattr(sys, "argv", ["cluster.py", "--workers", "64", "256", "1024"])
    example.main()
    lines = capsys.readouterr().out
    assert lines in (ROOT / "docs" / "sweeps.md").read_text("utf-8")
