# SPDX-License-Identifier: Apache-2.0
"""No command writes over a file that it reads, whichever option names that file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.external_data_helper import convert_model_to_external_data
from small_nets import small_net

from mcuplan.cli import _models, run
from mcuplan.errors import UsageError

T = ["-t", "cortex-m4"]
RANDOM = ["--calibration", "random"]
PARETO = ["table.csv", "--x", "size", "--y", "upper"]
TABLE = "id,lower,upper,size\n0,0,1,4\n"


@pytest.fixture(autouse=True)
def _in_a_folder_of_inputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("MCUPLAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    model = small_net().model()
    convert_model_to_external_data(model, location="net.bin", size_threshold=0)
    onnx.save(model, "net.onnx")
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    samples = np.random.default_rng(0).normal(size=(4, *shape[1:])).astype(np.float32)
    np.savez("data.npz", **{model.graph.input[0].name: samples})
    Path("samples/a").mkdir(parents=True)
    Path("samples/b").symlink_to("a")
    np.save("samples/a/0.npy", samples[0])
    Path("own.toml").write_text('name = "own"\nextends = "cortex-m4"\n')
    Path("mcuplan.toml").write_text("")
    Path("base.json").write_text("{}")
    Path("net.cortex-m4.verify.json").write_text("{}")
    Path("table.csv").write_text(TABLE)
    Path("other.csv").write_text(TABLE)


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["quantize", "net.onnx", *RANDOM, "-o"], "net.bin"),
        (["quantize", "net.onnx", *RANDOM, "-o"], "mcuplan.toml"),
        (["quantize", "net.onnx", "--calibration", "data.npz", "-o"], "data.npz"),
        (["quantize", "net.onnx", "--calibration", "samples", "-o"], "samples/a/0.npy"),
        (["quantize", "net.onnx", "--calibration", "samples", "-o"], "samples/b/0.npy"),
        (["quantize", "net.onnx", *RANDOM, "-t", "own.toml", "-o"], "own.toml"),
        (["fit", "net.onnx", *T, "--calibration", "data.npz", "-o"], "data.npz"),
        (["check", "net.onnx", *T, "--baseline", "base.json", "--report"], "json=base.json"),
        (["check", "net.onnx", *T, "--report"], "json=net.cortex-m4.verify.json"),
        (["plan", "net.onnx", *T, "--calibration", "data.npz", "--report"], "json=data.npz"),
        (["verify", "net.onnx", *T, *RANDOM, "--inputs", "data.npz", "--report"], "json=data.npz"),
        (["evidence", "net.onnx", *T, *RANDOM, "-o", "new", "--report"], "json=net.bin"),
        (["sweep", "*.onnx", "--targets", "cortex-m4,own.toml", "-o"], "link.csv"),
        (["sweep", "*.onnx", "--targets", "cortex-m4", "--calibration", "table.csv", "-o"], ""),
        (["pareto", *PARETO, "--join", "other.csv", "-o"], "other.csv"),
        (["pack", "table.csv", "-o"], "table.csv"),
        (["order", "table.csv", "-o"], "table.csv"),
    ],
)
def test_what_is_read_is_not_written_over(
    words: list[str], place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Said before work, and nothing is changed."""
    Path("link.csv").symlink_to("own.toml")
    before = _contents()
    assert 2 == run([*words, place or "table.csv"])
    assert "is a file that is read" in capsys.readouterr().err
    assert before == _contents()


def test_generated_code_takes_the_place_of_no_input(capsys: pytest.CaptureFixture[str]) -> None:
    """Not even where the baseline is the report of the code that was there."""
    asked = ["generate", "net.onnx", *T, *RANDOM, "-q", "-o", "out"]
    assert 0 == run(asked)
    before = _contents()
    assert 2 == run([*asked, "--backend", "c99", "--baseline", "out/net.report.json"])
    assert "is a file that is read" in capsys.readouterr().err
    assert before == _contents()


def test_a_verification_leaves_the_baseline(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which may be what an earlier one left there; without it that is replaced."""
    kept = Path("net.cortex-m4.verify.json")

    def verified(*given: object) -> Any:
        _models._leave(kept, b"new")
        raise UsageError("verified")

    monkeypatch.setattr("mcuplan.commands.verify", verified)
    for more, text in (["--baseline", str(kept)], "{}"), ([], "new"):
        assert 2 == run(["verify", "net.onnx", *T, *more])
        assert text == kept.read_text()
        said = capsys.readouterr().err
        assert "verified" in said
        assert bool(more) == ("is a file that is read" in said)


def test_two_reports_are_two_files(capsys: pytest.CaptureFixture[str]) -> None:
    """The second would take the place of the first; devices take both."""
    Path("link.json").symlink_to("a.json")
    asked = ["check", "net.onnx", *T, "-q", "--report", "json=a.json", "--report"]
    assert 2 == run([*asked, "html=./link.json"])
    assert "is given twice" in capsys.readouterr().err
    assert not Path("a.json").exists()
    streams = ["--report", "json=/dev/null", "--report", "html=/dev/null"]
    assert 0 == run(["check", "net.onnx", *T, "-q", *streams])


def _contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}
