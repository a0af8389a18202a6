# SPDX-License-Identifier: Apache-2.0
"""The command line: results, streams, files and exit status."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
from small_nets import Net, small_net

import mcuplan
from mcuplan.cli import run
from mcuplan.findings import explanations

BOARD = "nucleo-f446re"
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Runs start in an empty folder without variables of ours."""
    for name in [name for name in os.environ if name.startswith("MCUPLAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A model file in the current folder."""
    small_net().save(tmp_path / "net.onnx")
    return "net.onnx"


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Calibration data of that model."""
    samples = np.random.default_rng(3).standard_normal((6, 2, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "data.npz", input=samples)
    return "data.npz"


def spawn(command: list[str]) -> subprocess.CompletedProcess[str]:
    """A process of its own that finds this mcuplan."""
    root = str(Path(mcuplan.__file__).resolve().parents[1])  # of what is tested, installed or not
    env = {**os.environ, "PYTHONPATH": root}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env)


def test_help_loads_nothing_heavy() -> None:
    """The program starts without numpy or onnx, and its help names the commands."""
    code = "import sys, mcuplan.cli; print([m for m in ('numpy', 'onnx') if m in sys.modules])"
    assert "[]" == spawn([sys.executable, "-c", code]).stdout.strip()
    help_text = spawn([sys.executable, "-m", "mcuplan", "--help"]).stdout
    assert all(f"  {name} " in help_text for name in ("check", "plan", "generate", "verify"))
    assert "..." not in help_text.partition("Commands:")[2]  # each is said in a line


def test_check_fits(model: str, capsys: Captured) -> None:
    """A model that fits exits with 0; the report is on stdout and nothing on stderr."""
    assert 0 == run(["check", model, "--target", BOARD])
    out, err = capsys.readouterr()
    assert " FITS " in out
    assert "" == err


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        (["--max-ram", "100"], "ram/over-budget"),
        (["--max-flash", "0.5K"], "flash/over-budget"),
        (["--max-latency", "1ns"], "latency/over-budget"),
    ],
)
def test_over_budget_exits_with_1(
    model: str, limit: list[str], code: str, capsys: Captured
) -> None:
    """A limit that is not kept exits with 1 and is named; --exit-zero keeps the verdict."""
    assert 1 == run(["check", model, "-t", BOARD, *limit])
    assert code in capsys.readouterr().out
    assert 0 == run(["check", model, "-t", BOARD, *limit, "--exit-zero"])
    assert code in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["check"],
        ["check", "net.onnx"],
        ["check", "missing.onnx", "-t", BOARD],
        ["check", "net.onnx", "-t", "no-such-board"],
        ["check", "net.onnx", "-t", BOARD, "--max-ram", "many"],
        ["check", "net.onnx", "-t", BOARD, "--no-such-flag"],
        ["check", "net.onnx", "-t", BOARD, "--dim", "batch=0"],
        ["check", "net.onnx", "-t", BOARD, "--baseline", "missing.json"],
        ["check", "net.onnx", "-t", BOARD, "--report", "text=no/such/folder.txt"],
        ["check", "net.onnx", "-t", BOARD, "--report", "pdf=a.pdf"],
        ["check", "net.onnx", "-t", BOARD, "--report", f"json={'a' * 300}"],
        ["check", "net.onnx", "-t", BOARD, "--max-ram", "9" * 400],
        ["check", "net.onnx", "-t", BOARD, "--max-latency", "9" * 400 + "s"],
        ["check", "net.onnx", "-t", BOARD, "--headroom", "nan"],
        ["check", "net.onnx", "-t", BOARD, "--calibration", "a" * 300],
        ["generate", "net.onnx", "-t", BOARD, "--calibration", "random", "-o", "a" * 300],
        ["check", "net.onnx", "-t", BOARD, "--dump-after", "no-such-pass"],
        ["check", "net.onnx", "-t", BOARD, "--calibration", "missing.npz"],
        ["generate", "net.onnx", "-t", BOARD, "-o", "out"],
        ["generate", "net.onnx", "-t", BOARD, "-o", "net.onnx"],
        ["explain", "ram/over-buget"],
        ["diff", "one.json", "two.json"],
        ["targets", "show", "no-such-board"],
        ["targets", "lint", "missing.toml"],
    ],
)
def test_wrong_usage_exits_with_2(model: str, arguments: list[str], capsys: Captured) -> None:
    """Wrong usage exits with 2, says what is wrong, and leaves no files behind."""
    before = sorted(Path().iterdir())
    status = run(arguments)
    out, err = capsys.readouterr()
    if not arguments:  # the help
        assert 2 == status or "Usage:" in out + err
        return
    assert 2 == status
    assert "error[" in err
    assert "Traceback" not in err
    assert before == sorted(Path().iterdir())


def test_unsupported_operators_exit_with_3(tmp_path: Path, capsys: Captured) -> None:
    """Every problem is on stderr, a machine finds them on stdout, and files are written."""
    net = (
        Net((1, 2, 8, 8))
        .add("RandomUniformLike", name="wave")
        .add("NonZero", name="odd\n*/\x1b[31m")
    )
    net.save(tmp_path / "net.onnx")
    arguments = ["check", "net.onnx", "-t", BOARD, "-f", "json", "--report", "junit=r.xml"]
    assert 3 == run(arguments)
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert "unsupported" == report["verdict"]["status"]
    assert 2 == len(report["verdict"]["findings"]) == err.count("error[")
    assert "\x1b" not in err
    assert 2 == len(ElementTree.parse("r.xml").findall(".//error"))
    assert 3 == run(["check", "net.onnx", "-t", BOARD])
    assert "UNSUPPORTED" in capsys.readouterr().out


def test_damaged_model_exits_with_3(tmp_path: Path, capsys: Captured) -> None:
    """A truncated file is no model."""
    (tmp_path / "net.onnx").write_bytes(small_net().model().SerializeToString()[:99])
    assert 3 == run(["check", "net.onnx", "-t", BOARD])
    assert "error[model/damaged]" in capsys.readouterr().err


def test_reports_are_written_whole(model: str, capsys: Captured) -> None:
    """--report writes each format, and nothing but the reports appears."""
    wanted = {"json": "a.json", "markdown": "a.md", "junit": "a.xml", "text": "a.txt"}
    options = [word for f, p in wanted.items() for word in ("--report", f"{f}={p}")]
    assert 0 == run(["check", model, "-t", BOARD, "-q", *options])
    assert "" == capsys.readouterr().out
    assert {model, *wanted.values()} == {path.name for path in Path().iterdir()}
    assert "fits" == json.loads(Path("a.json").read_text())["verdict"]["status"]


def test_flags_beat_environment_beats_file(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """The file gives defaults, a variable beats it, a flag beats both."""

    def target() -> str:
        found = json.loads(capsys.readouterr().out)["target"]["name"]
        return str(found)

    Path("mcuplan.toml").write_text('target = "nrf52840"\nformat = "json"\n')
    assert 0 == run(["check", model])
    assert "nrf52840" == target()
    monkeypatch.setenv("MCUPLAN_TARGET", "rp2350")
    assert 0 == run(["check", model])
    assert "rp2350" == target()
    assert 0 == run(["check", model, "--target", BOARD])
    assert BOARD == target()


def test_budget_in_the_file(model: str, capsys: Captured) -> None:
    """A budget in pyproject.toml fails the run as a flag would."""
    Path("pyproject.toml").write_text(f'[tool.mcuplan]\ntarget = "{BOARD}"\nmax-ram = "100"\n')
    assert 1 == run(["check", model])
    assert "--max-ram" in capsys.readouterr().out


def test_mistakes_in_the_file_are_all_named(model: str, capsys: Captured) -> None:
    """Every wrong key of the file is named, with the key that was meant."""
    Path("mcuplan.toml").write_text('targt = "x"\nmax-ram = "lots"\nexit-zero = "no"\n')
    assert 2 == run(["check", model])
    err = capsys.readouterr().err
    assert 3 == err.count("error[config/bad-value]")
    assert 'did you mean "target"?' in err


def test_plan_shows_every_step(model: str, capsys: Captured) -> None:
    """Plan prints the full form with the table of layers."""
    assert 0 == run(["plan", model, "-t", BOARD, "--all"])
    out = capsys.readouterr().out
    assert all(name in out for name in ("first", "second", "head", "lower bound"))


def test_dump_after_goes_to_stderr(model: str, capsys: Captured) -> None:
    """--dump-after shows the graph after a pass and leaves stdout to the report."""
    assert 0 == run(["check", model, "-t", BOARD, "--dump-after", "fuse_activation", "-f", "json"])
    out, err = capsys.readouterr()
    json.loads(out)
    assert "first" in err


def test_generate_writes_a_bundle(model: str, data: str, capsys: Captured) -> None:
    """Generate writes header, source, kernels and the report, the same bytes twice."""
    arguments = ["generate", model, "-t", BOARD, "--calibration", data, "-q"]
    assert 0 == run([*arguments, "-o", "one"])
    assert 0 == run([*arguments, "-o", "two"])
    found = {p.relative_to("one"): p.read_bytes() for p in Path("one").rglob("*") if p.is_file()}
    again = {p.relative_to("two"): p.read_bytes() for p in Path("two").rglob("*") if p.is_file()}
    assert found == again
    assert {"net.h", "net.c", "net.report.json"} <= {path.name for path in found}
    assert str(Path.cwd()).encode() not in b"".join(found.values())


def test_generate_without_ranges_says_so(model: str, capsys: Captured) -> None:
    """Ranges are needed, random ones only when asked for, and then marked."""
    assert 2 == run(["generate", model, "-t", BOARD, "-o", "out"])
    assert "error[quant/no-ranges]" in capsys.readouterr().err
    assert not Path("out").exists()
    assert 0 == run(["generate", model, "-t", BOARD, "-o", "out", "--calibration", "random"])
    assert "quant/random-calibration" in capsys.readouterr().out


def test_generate_writes_all_or_nothing(model: str, data: str, capsys: Captured) -> None:
    """Where one file cannot be written, none is."""
    Path("out/net.report.json").mkdir(parents=True)
    Path("out/mplan").mkdir()
    Path("out/mplan/mplan.h").touch()
    assert 2 == run(["generate", model, "-t", BOARD, "--calibration", data, "-o", "out"])
    assert "report.json" in capsys.readouterr().err
    assert [Path("out/net.report.json")] == [p for p in Path("out").rglob("*") if "json" in p.name]
    assert [Path("out/mplan/mplan.h")] == [p for p in Path("out").rglob("*") if p.is_file()]
    assert not Path("out/mplan/mplan.h").read_text()


def test_a_file_name_that_is_not_text(model: str, capsys: Captured) -> None:
    """A name with bytes that are no UTF-8 is shown escaped."""
    name = os.fsdecode(b"net\xff.onnx")
    shutil.copy(model, name)
    assert 0 == run(["generate", name, "-t", BOARD, "--calibration", "random", "-o", "out"])
    assert 0 == run(["quantize", name, "--calibration", "random", "-o", "out.onnx"])


def test_too_little_memory(model: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that runs out is said in plain words."""

    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("mcuplan.importer.protofile._read_bytes", fail)
    assert 3 == run(["quantize", model, "--calibration", "random", "-o", "out.onnx"])
    assert "error[model/too-large]" in capsys.readouterr().err


def test_quantize_writes_a_model_that_needs_no_data(
    model: str, data: str, capsys: Captured
) -> None:
    """The QDQ file loads, and plans without a word about ranges."""
    assert 0 == run(["quantize", model, "--calibration", data, "-o", "int8.onnx"])
    onnx.checker.check_model(onnx.load("int8.onnx"))
    capsys.readouterr()
    assert 0 == run(["check", "int8.onnx", "-t", BOARD])
    out = capsys.readouterr().out
    assert "int8 (QDQ)" in out
    assert "quant/no-ranges" not in out


def test_baseline_and_diff_name_the_layer(tmp_path: Path, capsys: Captured) -> None:
    """Growth fails check and diff, and both name the layer and the reason."""
    small_net(4).save(tmp_path / "net.onnx")
    check = ["check", "net.onnx", "-t", BOARD, "--backend", "c99"]  # the same kernels for both
    assert 0 == run([*check, "-q", "--report", "json=old.json"])
    assert 0 == run([*check, "--baseline", "old.json"])
    small_net(6).save(tmp_path / "net.onnx")
    arguments = [*check, "--report", "json=new.json"]
    capsys.readouterr()
    assert 1 == run([*arguments, "--baseline", "old.json"])
    assert "output channels 4 -> 6" in capsys.readouterr().out
    assert 1 == run(["diff", "old.json", "new.json"])
    assert "output channels 4 -> 6" in capsys.readouterr().out
    assert 0 == run(["diff", "new.json", "old.json"])
    assert 0 == run(["diff", "old.json", "old.json", "-f", "json"])


def test_a_baseline_of_another_target_is_wrong_usage(model: str, capsys: Captured) -> None:
    """It is named as such; diff compares any two reports and says that the targets differ."""
    for target in (BOARD, "cortex-m7"):
        assert 0 == run(["check", model, "-t", target, "-q", "--report", f"json={target}.json"])
    assert 2 == run(["check", model, "-t", BOARD, "--baseline", "cortex-m7.json"])
    assert "baseline/other-target" in capsys.readouterr().err
    run(["diff", f"{BOARD}.json", "cortex-m7.json"])
    assert f"{BOARD} -> cortex-m7" in capsys.readouterr().out


def test_targets(tmp_path: Path, capsys: Captured) -> None:
    """list, show and lint work on every built-in target."""
    assert 0 == run(["targets", "list", "-f", "json"])
    rows = json.loads(capsys.readouterr().out)
    assert {BOARD, "cortex-m4"} <= {row["target"] for row in rows}
    assert 0 == run(["targets", "show", BOARD])
    assert "180 MHz" in capsys.readouterr().out
    bad = tmp_path / "bad.toml"
    bad.write_text('name = "Bad!"\nclock = 1\n')
    assert 2 == run(["targets", "lint", BOARD, "bad.toml"])
    assert 2 < capsys.readouterr().err.count("error[")


def test_targets_fit_has_a_row_for_each(model: str, capsys: Captured) -> None:
    """The matrix has every target once."""
    assert 0 == run(["targets", "list", "-f", "json"])
    names = [row["target"] for row in json.loads(capsys.readouterr().out)]
    assert 0 == run(["targets", "fit", model, "-f", "json"])
    rows = json.loads(capsys.readouterr().out)
    assert sorted(names) == sorted(row["target"] for row in rows)
    assert {"fits"} == {row["verdict"] for row in rows}


def test_targets_fit_says_where_there_is_most_room(tmp_path: Path, capsys: Captured) -> None:
    """What fits comes first, then by the share that is left of the fuller memory."""
    Net((1, 2, 64, 64)).conv(64, 2, 3, pads=[1] * 4).conv(256, 64, 3).save(tmp_path / "big.onnx")
    assert 0 == run(["targets", "fit", "big.onnx", "-f", "json"])
    rows = json.loads(capsys.readouterr().out)
    assert ["fits", "over"] == list(dict.fromkeys(row["verdict"] for row in rows))
    rooms = [int(row["room"].split()[0]) for row in rows]
    assert rooms == sorted(rooms, reverse=True)


@pytest.mark.parametrize("code", sorted(explanations()))
def test_every_code_is_explained(code: str, capsys: Captured) -> None:
    """Each code says what it means and what to do."""
    assert 0 == run(["explain", code])
    out = capsys.readouterr().out
    assert code in out
    assert "What to do:" in out
    assert 80 >= max(map(len, out.splitlines()))


def test_ops_lists_operators(capsys: Captured) -> None:
    """The table of operators names types, fast kernels and ONNX operators; no cell is empty."""
    assert 0 == run(["ops", "--markdown"])
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith("| Conv2D |"))
    assert {"int8", "int16", "int8 by int4", "int8 by int4_blocks", "float32"} == set(
        row.split("|")[2].strip().split(", ")
    )
    assert {"int8 mve", "int16 dsp", "float32 fpu"} < set(row.split("|")[3].strip().split(", "))
    assert "|  |" not in out


@pytest.mark.skipif(shutil.which("head") is None, reason="head is not installed")
def test_a_closed_pipe_is_no_error(model: str) -> None:
    """Output cut off by the reader leaves no traceback."""
    command = f"{sys.executable} -m mcuplan explain | head -c 1"
    assert "" == spawn(["sh", "-c", command]).stderr


def test_no_colour_unless_a_terminal(model: str, capsys: Captured) -> None:
    """What is not a terminal gets plain ASCII."""
    run(["plan", model, "-t", BOARD])
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x1b" not in out
    assert 80 >= max(map(len, out.splitlines()))


def test_a_defect_shows_its_traceback(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """A bug is told apart from every verdict by its own status."""

    def broken(*arguments: object, **options: object) -> None:
        raise AssertionError("broken on purpose")

    monkeypatch.setattr("mcuplan.pipeline.begin", broken)
    assert 70 == run(["check", model, "-t", BOARD])
    assert "broken on purpose" in capsys.readouterr().err
