# SPDX-License-Identifier: Apache-2.0
"""`verify` end to end on a small network, and what later reports make of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from small_nets import small_net

import mcuplan.report
from mcuplan.cli import run

BOARD = "nucleo-f446re"
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def verified(
    tmp_path_factory: pytest.TempPathFactory, arm_gcc: str, qemu: str
) -> tuple[Path, Mapping[str, Any]]:
    """A folder with a verified model in it, and the report."""
    folder = tmp_path_factory.mktemp("verified")
    model = small_net().save(folder / "net.onnx")
    samples = np.random.default_rng(3).standard_normal((8, 2, 8, 8)).astype(np.float32)
    labels = np.zeros(8, np.int64)
    np.savez(folder / "data.npz", input=samples, labels=labels)
    data = str(folder / "data.npz")
    arguments = ["verify", str(model), "-t", BOARD, "--calibration", data, "--inputs", data, "-q"]
    assert run([*arguments, "--report", f"json={folder / 'r.json'}"]) in (0, 1)
    return folder, json.loads((folder / "r.json").read_text())


def test_every_run_is_recorded(verified: tuple[Path, Mapping[str, Any]]) -> None:
    """Host and emulator equal the reference; the ELF agrees; the stack keeps its bound."""
    host, core = verified[1]["verification"]
    assert ("host", 8, True) == (host["on"], host["samples"], host["equal_to_reference"])
    assert ("emulator", 3, True) == (core["on"], core["samples"], core["equal_to_reference"])
    assert core["elf"]["agrees"]
    assert 0 < core["stack"]["measured_bytes"] <= core["stack"]["bound_bytes"]
    assert core["cycles"] > core["instructions"] > 0
    assert "top-1" == host["accuracy"]["metric"]


def test_the_report_follows_the_schema(verified: tuple[Path, Mapping[str, Any]]) -> None:
    """A report with a verification validates."""
    path = Path(mcuplan.report.__file__).parent / "schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(verified[1], schema, cls=jsonschema.Draft202012Validator)


def test_figures_are_measured(verified: tuple[Path, Mapping[str, Any]]) -> None:
    """Code, stack and cycles are measured, and the flash bill is that of the ELF."""
    report = verified[1]
    assert "measured" == report["flash"]["code_origin"] == report["ram"]["stack_origin"]
    assert {"measured"} == {row["cycles_origin"] for row in report["layers"]}
    assert all(row["cycles"] > row["instructions"] > 0 for row in report["layers"])
    elf = report["verification"][1]["elf"]
    constants = report["flash"]["weights_bytes"] + report["flash"]["tables_bytes"]
    assert elf["constants_bytes"] == constants
    assert report["build"]["compiler"]


def test_check_remembers_what_verify_measured(
    verified: tuple[Path, Mapping[str, Any]], capsys: Captured
) -> None:
    """Check of the same model and target takes the measured figures; another target does not."""
    folder, report = verified
    model = str(folder / "net.onnx")
    assert 0 == run(["check", model, "-t", BOARD, "-f", "json"])
    again = json.loads(capsys.readouterr().out)
    assert report["flash"] == again["flash"]
    assert report["ram"] == again["ram"]
    assert report["latency"] == again["latency"]
    assert report["layers"][0]["instructions"] == again["layers"][0]["instructions"]
    assert 0 == run(["check", model, "-t", BOARD, "--all"])
    assert f"{report['layers'][0]['instructions']:,}" in capsys.readouterr().out
    assert 0 == run(["check", model, "-t", "rp2350", "-f", "json"])
    assert "modelled" == json.loads(capsys.readouterr().out)["flash"]["code_origin"]


def test_a_changed_model_is_modelled_again(
    verified: tuple[Path, Mapping[str, Any]], tmp_path: Path, capsys: Captured
) -> None:
    """A report beside another model, or a damaged one, is not believed."""
    kept = (verified[0] / f"net.{BOARD}.verify.json").read_text()
    model = small_net(6).save(tmp_path / "net.onnx")
    for text in (kept, kept[:-99], "{}", "[1]"):
        (tmp_path / f"net.{BOARD}.verify.json").write_text(text)
        assert 0 == run(["check", str(model), "-t", BOARD, "-f", "json"])
        assert "modelled" == json.loads(capsys.readouterr().out)["flash"]["code_origin"]


def test_modelled_code_with_margin_covers_what_was_measured(
    verified: tuple[Path, Mapping[str, Any]], capsys: Captured
) -> None:
    """The modelled code and stack, margin included, are not below the measured ones."""
    model = small_net(4).save(verified[0] / "copy.onnx")
    assert 0 == run(["check", str(model), "-t", BOARD, "-f", "json"])
    modelled = json.loads(capsys.readouterr().out)
    assert "modelled" == modelled["flash"]["code_origin"]
    assert modelled["flash"]["code_bytes"] >= verified[1]["flash"]["code_bytes"]
    assert modelled["ram"]["stack_bytes"] >= verified[1]["ram"]["stack_bytes"]


def test_build_measures_without_running(arm_gcc: str, tmp_path: Path, capsys: Captured) -> None:
    """Check --build compiles: code and stack are measured, cycles are not."""
    model = small_net().save(tmp_path / "net.onnx")
    arguments = ["check", str(model), "-t", "rp2040", "--build", "--calibration", "random"]
    assert 0 == run([*arguments, "-f", "json"])
    report = json.loads(capsys.readouterr().out)
    assert "measured" == report["flash"]["code_origin"] == report["ram"]["stack_origin"]
    assert "modelled" == report["latency"]["origin"]


@pytest.mark.parametrize("wrong", [-1, 1.5, "7", None, True, 1 << 60])
def test_a_kept_report_that_cannot_be_true_is_ignored(
    verified: tuple[Path, Mapping[str, Any]], wrong: object, capsys: Captured, tmp_path: Path
) -> None:
    """A figure that counts nothing makes no model fit."""
    folder, _ = verified
    model = tmp_path / "net.onnx"
    model.write_bytes((folder / "net.onnx").read_bytes())
    kept = json.loads((folder / f"net.{BOARD}.verify.json").read_text())
    kept["flash"]["code_bytes"] = wrong
    (tmp_path / f"net.{BOARD}.verify.json").write_text(json.dumps(kept))
    assert 0 == run(["check", str(model), "-t", BOARD, "-f", "json"])
    assert "modelled" == json.loads(capsys.readouterr().out)["flash"]["code_origin"]
