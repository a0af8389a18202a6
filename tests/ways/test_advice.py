# SPDX-License-Identifier: Apache-2.0
"""Ways to fit in a report: each is what `check` says of its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nets import Net
from way_nets import checked, image_net, options_of

from mcuplan.record import Needs

_ORDER = [needs.value for needs in Needs]


def _figures(report: dict[str, Any]) -> tuple[int, int, int, bool]:
    parts = report["ram"]["total_bytes"], report["flash"]["total_bytes"]
    return (*parts, report["latency"]["cycles"], report["verdict"]["status"] == "fits")


@pytest.mark.parametrize(
    "limits",
    [
        ["--max-ram", "1000"],
        ["--max-latency", "8ms", "--max-flash", "9K", "--calibration", "data.npz"],
        [],
    ],
)
def test_every_way_has_the_figures_of_a_check_with_its_options(
    limits: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RAM, flash, cycles and the verdict; sorted by what they need, the plan itself first."""
    monkeypatch.chdir(image_net(tmp_path).parent)
    words = ["net.onnx", "-t", "stm32f072", "--effort", "fast", *limits]
    _, report = checked(capsys, *words, "--advice", "--time-limit", "600")
    advice = report["advice"]
    assert advice["complete"]
    ways = advice["ways"]
    assert {"nothing", "retraining"} <= {way["needs"] for way in ways}
    needs = [_ORDER.index(way["needs"]) for way in ways]
    assert sorted(needs) == needs
    assert [] == ways[0]["options"]
    for way in ways:
        found = (way["ram_bytes"], way["flash_bytes"], way["cycles"], way["fits"])
        status, again = checked(capsys, *words, *options_of(way))
        assert _figures(again) == found, way["options"]
        assert (0 if way["fits"] else 1) == status
        assert ("loss" in way) == (way["needs"] == "recalibration" and len(limits) > 4)


def test_over_a_budget_there_is_a_way_at_hand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options alone, without --advice, and the hint names one that fits; none where it fits."""
    model = str(image_net(tmp_path))
    status, report = checked(capsys, model, "-t", "stm32f072", "--max-ram", "960")
    assert 1 == status
    ways = report["advice"]["ways"]
    assert {"nothing"} == {way["needs"] for way in ways}
    fitting = [" ".join(way["options"]) for way in ways if way["fits"]]
    (error,) = [f for f in report["verdict"]["findings"] if f["severity"] == "error"]
    assert any(error["hint"].startswith(f"{options} fits") for options in fitting)
    assert "mcuplan fit" in error["hint"]
    assert "advice" not in checked(capsys, model, "-t", "stm32f072")[1]


def test_time_that_has_gone_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With no time at all there is the plan, and a word that more is missing."""
    model = str(image_net(tmp_path))
    words = (model, "-t", "stm32f072", "--effort", "fast", "--advice", "--time-limit", "0")
    advice = checked(capsys, *words)[1]["advice"]
    assert not advice["complete"]
    assert [[]] == [way["options"] for way in advice["ways"]]


def test_larger_forms_are_kept_beside_smaller_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Less of everything is no reason to drop a form that may answer better."""
    words = (str(image_net(tmp_path)), "-t", "stm32f072", "--effort", "fast", "--advice")
    ways = checked(capsys, *words, "--time-limit", "600")[1]["advice"]["ways"]
    options = [way["options"] for way in ways]
    assert ["--reshape width=0.5"] in options
    assert ["--reshape width=0.75"] in options


def test_models_of_other_kinds_have_fewer_ways(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No image, several outputs: what cannot be is left out."""
    net = Net((1, 24))
    hidden = net.add("Relu", net.add("MatMul", "x", net.random(24, 16)))
    outputs = [net.add("MatMul", hidden, net.random(16, n)) for n in (3, 5)]
    path = tmp_path / "net.onnx"
    path.write_bytes(net.model(*outputs).SerializeToString())
    words = (str(path), "-t", "stm32f072", "--max-flash", "1K", "--advice", "--time-limit", "600")
    ways = checked(capsys, *words)[1]["advice"]["ways"]
    options = [option for way in ways for option in way["options"]]
    assert any(option.startswith("--reshape width=") for option in options)
    assert not any("input" in option for option in options)
