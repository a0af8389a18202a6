# SPDX-License-Identifier: Apache-2.0
"""`verify` end to end on a small network, and what later reports make of it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.helper import (
    make_graph,
    make_model,
    make_node,
    make_opsetid,
    make_tensor_value_info,
)
from small_nets import small_net

import mcuplan.report
from mcuplan.cli import run
from mcuplan.kept import _digest_of

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
    first, shown = report["layers"][0], capsys.readouterr().out
    stalls = first["stall_cycles"]
    assert "measured" == stalls["origin"] == report["latency"]["core_origin"]
    assert f"{first['cycles']:,}" in shown
    assert f"{first['cycles'] + sum(stalls[k] for k in ('code', 'constants', 'rules')):,}" in shown
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


def _beside_a_copy(
    verified: tuple[Path, Mapping[str, Any]], folder: Path
) -> tuple[list[str], Path, Any]:
    """Check of a copy of the verified model, its kept report, and what that holds."""
    (folder / "net.onnx").write_bytes((verified[0] / "net.onnx").read_bytes())
    text = (verified[0] / f"net.{BOARD}.verify.json").read_text()
    path = folder / f"net.{BOARD}.verify.json"
    path.write_text(text)
    return ["check", str(folder / "net.onnx"), "-t", BOARD, "-f", "json"], path, json.loads(text)


def _why_unused(check: list[str], capsys: Captured) -> str:
    """The note that a kept report is not used; its figures are then modelled."""
    assert 0 == run(check)
    report = json.loads(capsys.readouterr().out)
    notes = [f for f in report["verdict"]["findings"] if f["code"] == "verify/kept-unused"]
    assert ("modelled" if notes else "measured") == report["flash"]["code_origin"]
    assert "cycles" in report["layers"][0]
    return notes[0]["message"] if notes else ""


def _at(report: Any, place: str) -> tuple[Any, str | int]:
    *path, last = [int(word) if word.isdigit() else word for word in place.split(".")]
    for word in path:
        report = report[word]
    return report, last


@pytest.mark.parametrize("value", [-1, 1.5, "7", None, True, 1 << 60, 0, [], {}])
@pytest.mark.parametrize("place", ["flash.code_bytes", "ram.stack_bytes", "layers.0.cycles"])
def test_a_figure_that_cannot_be_true_is_not_believed(
    place: str,
    value: object,
    verified: tuple[Path, Mapping[str, Any]],
    tmp_path: Path,
    capsys: Captured,
) -> None:
    """Whoever writes the digest anew: what counts nothing, or too little, makes no model fit."""
    check, path, kept = _beside_a_copy(verified, tmp_path)
    holder, name = _at(kept, place)
    holder[name] = value
    kept["kept"]["digest"] = _digest_of(kept)
    path.write_text(json.dumps(kept))
    assert re.search("cannot|damaged|incomplete", _why_unused(check, capsys))


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        ("flash.code_bytes", 5000, "was changed"),
        ("ram.stack_bytes", 200, "was changed"),
        ("layers.0.cycles", 1_000_000, "was changed"),
        ("verdict.status", "unproven", "was changed"),
        ("kept.digest", "0" * 32, "was changed"),
        ("kept.of.model", "0" * 64, "another model"),
        ("kept.of.plan", "", "another plan"),
        ("kept.of.kernels", "", "other kernels"),
        ("kept.of.flags", "-O3", "other flags"),
        ("kept.of.mcuplan", "0.0.1", "another mcuplan"),
        ("kept", None, "damaged"),
        ("build", None, "does not say what"),
    ],
)
def test_a_changed_report_is_not_believed(
    place: str,
    value: object,
    why: str,
    verified: tuple[Path, Mapping[str, Any]],
    tmp_path: Path,
    capsys: Captured,
) -> None:
    """A figure, a verdict or an identity that was edited shows, and a note says what."""
    check, path, kept = _beside_a_copy(verified, tmp_path)
    assert "" == _why_unused(check, capsys)
    holder, name = _at(kept, place)
    holder[name] = value
    path.write_text(json.dumps(kept))
    assert why in _why_unused(check, capsys)


@pytest.mark.parametrize(
    "place", ["verification.0.equal_to_reference", "verification.1.elf.agrees"]
)
def test_what_did_not_verify_is_not_believed(
    place: str, verified: tuple[Path, Mapping[str, Any]], tmp_path: Path, capsys: Captured
) -> None:
    """Figures of code that was wrong, or not as planned, are not those of the model."""
    check, path, kept = _beside_a_copy(verified, tmp_path)
    holder, name = _at(kept, place)
    holder[name] = False
    kept["kept"]["digest"] = _digest_of(kept)
    path.write_text(json.dumps(kept))
    assert "did not verify" in _why_unused(check, capsys)


def test_another_compiler_is_not_believed(
    verified: tuple[Path, Mapping[str, Any]],
    tmp_path: Path,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where another compiler is installed the figures are not its; where none is they are used."""
    check, _, _ = _beside_a_copy(verified, tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    assert "" == _why_unused(check, capsys)
    (tools / "arm-none-eabi-gcc").write_text("#!/bin/sh\necho arm-none-eabi-gcc 9.3.1\n")
    (tools / "arm-none-eabi-gcc").chmod(0o755)
    assert "another compiler than arm-none-eabi-gcc 9.3.1" in _why_unused(check, capsys)


def test_what_is_no_report_is_not_believed(
    verified: tuple[Path, Mapping[str, Any]], tmp_path: Path, capsys: Captured
) -> None:
    """Half a file, a file of something else, a pipe, a folder and a huge file: a note, no error."""
    check, path, _ = _beside_a_copy(verified, tmp_path)
    whole = path.read_text()
    for text in (whole[: len(whole) // 2], "", "[]", "[" * 100_000, "\0", "{}"):
        path.write_text(text)
        assert _why_unused(check, capsys)
    os.truncate(path, 1 << 32)
    assert "larger" in _why_unused(check, capsys)
    path.unlink()
    os.mkfifo(path)
    assert "regular" in _why_unused(check, capsys)
    path.unlink()
    path.mkdir()
    assert "regular" in _why_unused(check, capsys)


@pytest.fixture(scope="module")
def coarse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network, its samples, and a calibration 40 times as wide."""
    folder = tmp_path_factory.mktemp("coarse")
    small_net().save(folder / "net.onnx")
    samples = np.random.default_rng(3).standard_normal((12, 2, 8, 8)).astype(np.float32)
    np.savez(folder / "data.npz", input=samples)
    np.savez(folder / "wide.npz", input=samples * 40)
    return folder


@pytest.mark.parametrize(
    ("calibration", "flags", "status", "severity"),
    [
        ("data.npz", [], 0, None),
        ("data.npz", ["--min-sqnr", "90"], 1, "error"),
        ("wide.npz", [], 1, "error"),
        ("wide.npz", ["--min-sqnr", "0"], 0, "warning"),
        ("random", ["--min-sqnr", "90"], 0, "warning"),
    ],
)
def test_noise_decides(
    coarse: Path,
    calibration: str,
    flags: list[str],
    status: int,
    severity: str | None,
    host_gcc: str,
    capsys: Captured,
) -> None:
    """Signal to noise below the limit is exit 1; made-up ranges are no failure of the model."""
    given = calibration if calibration == "random" else str(coarse / calibration)
    command = ["verify", str(coarse / "net.onnx"), "-t", BOARD, "--calibration", given]
    command += [
        "--no-save",
        "--inputs",
        str(coarse / "data.npz"),
        "--on",
        "host",
        "-f",
        "json",
        *flags,
    ]
    assert status == run(command)
    report = json.loads(capsys.readouterr().out)
    found = [f["severity"] for f in report["verdict"]["findings"] if f["code"] == "verify/sqnr"]
    assert ([severity] if severity else []) == found
    (output,) = report["verification"][0]["outputs"]
    assert output["sqnr_db"] < 90


def test_the_limit_stands_in_the_configuration(
    coarse: Path, host_gcc: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """A key of mcuplan.toml, checked like the flag."""
    monkeypatch.chdir(coarse)
    command = ["verify", "net.onnx", "-t", BOARD, "--calibration", "data.npz", "--on", "host"]
    (coarse / "mcuplan.toml").write_text("min-sqnr = 90\n")
    assert 1 == run([*command, "-q"])
    (coarse / "mcuplan.toml").write_text("min-sqnr = -3\n")
    assert 2 == run([*command, "-q"])
    (coarse / "mcuplan.toml").unlink()
    capsys.readouterr()


def test_answers_that_are_not_finite_are_refused(tmp_path: Path, capsys: Captured) -> None:
    """The logarithm of what is not positive is none; the sample is named, before anything runs."""
    ports = [make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = make_graph([make_node("Log", ["x"], ["y"])], "log", ports[:1], ports[1:])
    model = make_model(graph, opset_imports=[make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "log.onnx")
    np.savez(tmp_path / "data.npz", x=np.array([[-1, 1, 2, 3], [0, 1, 1, 1]], np.float32))
    command = ["verify", str(tmp_path / "log.onnx"), "-t", BOARD, "--dtype", "float32"]
    command += ["--inputs", str(tmp_path / "data.npz"), "--on", "host", "--no-save"]
    assert 2 == run(command)
    assert "error[data/bad-array]: output 'y' of the model" in capsys.readouterr().err
