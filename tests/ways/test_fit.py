# SPDX-License-Identifier: Apache-2.0
"""`mcuplan fit`: the command that it prints fits, and what does not is said why."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from nets import Net
from way_nets import checked, image_net, mobilenet_v2

from mcuplan import pipeline
from mcuplan.cli import run
from mcuplan.ir.types import DType
from mcuplan.record import Request
from mcuplan.record.schema import fit_schema
from mcuplan.targets import load_target
from mcuplan.ways.bounds import least_flash, least_ram

_TARGET = ("-t", "stm32f072", "--effort", "fast")


def _fit(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = run(["fit", *words, "-f", "json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, fit_schema())
    return status, found


@pytest.mark.parametrize(
    ("limits", "needs"),
    [
        ((), "nothing"),
        (("--max-ram", "1000"), "nothing"),
        (("--max-ram", "1200", "--max-flash", "7K"), "nothing"),
        (("--max-ram", "1200", "--max-flash", "6500"), "recalibration"),
        (("--max-latency", "11ms"), "retraining"),
    ],
)
def test_the_command_that_is_printed_fits(
    limits: tuple[str, ...], needs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run as it stands it exits with 0 and has the figures of the last row, the one that fits.

    `fit` itself does not where that is a form which is still to be trained.
    """
    status, found = _fit(capsys, str(image_net(tmp_path)), *_TARGET, *limits)
    assert (needs == "retraining", "fits", needs) == (status, found["status"], found["needs"])
    assert [False] * (len(found["tried"]) - 1) + [True] == [w["fits"] for w in found["tried"]]
    program, command, *words = shlex.split(shlex.join(found["command"]))
    assert ("mcuplan", "check") == (program, command)
    status, report = checked(capsys, *words)
    assert 0 == status
    last = found["tried"][-1]
    assert last["ram_bytes"] == report["ram"]["total_bytes"]
    assert last["flash_bytes"] == report["flash"]["total_bytes"]
    assert last["cycles"] == report["latency"]["cycles"]


def test_a_model_of_another_form_is_written_as_a_template(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file says what it is wherever it is read, and the command is of the file."""
    made = tmp_path / "smaller.onnx"
    limits = ("--max-latency", "11ms")
    status, found = _fit(capsys, str(image_net(tmp_path)), *_TARGET, *limits, "-o", str(made))
    assert 1 == status
    assert str(made) in found["command"]
    assert not any("reshape" in word for word in found["command"])
    status, report = checked(capsys, *found["command"][2:])
    assert 0 == status
    codes = [each["code"] for each in report["verdict"]["findings"]]
    assert "model/placeholder-weights" in codes
    assert found["tried"][-1]["ram_bytes"] == report["ram"]["total_bytes"]
    capsys.readouterr()
    assert 1 == run(["fit", str(tmp_path / "net.onnx"), *_TARGET, *limits])
    assert "FITS ONCE TRAINED" in capsys.readouterr().out


def test_what_cannot_fit_is_proved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1; each form has plans that are over, or a bound that is."""
    words = (str(image_net(tmp_path)), *_TARGET, "--max-flash", "100")
    status, found = _fit(capsys, *words)
    assert (1, "over", []) == (status, found["status"], found["command"])
    assert not any(way["fits"] for way in found["tried"])
    refuted = [" ".join(each["options"]) for each in found["refuted"]]
    assert {"", "--reshape width=0.25 --weight-dtype int4"} <= set(refuted)
    assert 1 == run(["fit", *words])
    assert "NOTHING IN THE LIST FITS" in capsys.readouterr().out


def test_a_search_that_is_cut_short_proves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 3, and no word of what does not fit."""
    words = (str(image_net(tmp_path)), *_TARGET, "--max-ram", "10", "--time-limit", "0")
    status, found = _fit(capsys, *words)
    assert (3, "unproven") == (status, found["status"])


def test_loss_is_kept_where_a_limit_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With samples other types are taken as far as outputs allow, and the command says so."""
    net = image_net(tmp_path)
    words = (str(net), *_TARGET, "--max-flash", "6500", "--calibration", str(tmp_path / "data.npz"))
    status, found = _fit(capsys, *words, "--max-loss", "60%")
    assert (0, "recalibration") == (status, found["needs"])
    assert found["tried"][-1]["loss"] <= 60
    assert 0 == checked(capsys, *found["command"][2:])[0]
    assert 2 == run(["fit", str(net), *_TARGET, "--max-loss", "1%"])
    assert "--calibration" in capsys.readouterr().err


@pytest.mark.parametrize("dims", [["n", 8], [1, 8]])
def test_odd_models_end_with_a_code(
    dims: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Open dimensions are an error as anywhere; several outputs and no image have fewer forms."""
    net = Net((1, 8))
    outputs = [net.add("MatMul", "x", net.random(8, n)) for n in (3, 4)]
    model = net.model(*outputs)
    for place, size in zip(model.graph.input[0].type.tensor_type.shape.dim, dims, strict=True):
        place.Clear()
        if isinstance(size, str):
            place.dim_param = size
        else:
            place.dim_value = size
    path = tmp_path / "odd.onnx"
    path.write_bytes(model.SerializeToString())
    status = run(["fit", str(path), *_TARGET, "--max-flash", "10"])
    said = capsys.readouterr()
    assert (1 in dims, status) in {(True, 1), (False, 0), (False, 1), (False, 3)}
    assert "Traceback" not in said.err


def test_no_plan_is_below_the_bounds(tmp_path: Path) -> None:
    """Whatever form and objective: weights and rows that are held at once are in every plan."""
    net = image_net(tmp_path)
    for streaming in ("off", "auto", "input"):
        for objective in ("ram=strict", "flash"):
            request = Request(
                net,
                load_target("stm32f072"),
                streaming=streaming,  # type: ignore[arg-type]
                objective=objective,
                effort="fast",
            )
            plan = pipeline.plan(request, sizes_only=True)
            held = sum(memory.arena_bytes for memory in plan.plan.memory.values())
            fed = streaming == "input"
            assert least_ram(plan.lowered, DType.INT8, fed=fed).nbytes <= held
            steps = plan.plan.program.steps
            weights = sum(
                array.nbytes
                for step in steps
                for call in step.kernel.calls(step.signature)
                for array in call.fields.values()
                if hasattr(array, "nbytes")
            )
            assert least_flash(plan.lowered, 8).nbytes <= weights


@pytest.mark.parametrize("target", ["stm32l072", "nucleo-f103rb"])
def test_visual_wake_words_fit_20_kb_of_ram(
    target: str, shared_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By feeding the rows of the image: no data, no training."""
    status, found = _fit(capsys, str(shared_model), "-t", target)
    assert (0, "nothing") == (status, found["needs"])
    assert ["--streaming input"] == found["tried"][-1]["options"]


@pytest.fixture
def shared_model() -> Path:
    """MobileNetV1 of MLPerf Tiny, where the shared models are."""
    folder = Path(os.environ.get("MCUPLAN_TEST_MODELS", ""))
    path = folder / "mlperf_vww_mobilenetv1" / "model.onnx"
    if not path.is_file():
        pytest.skip("no shared models: MCUPLAN_TEST_MODELS")
    return path


@pytest.mark.slow
def test_mobilenet_v2_cannot_fit_a_small_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Weights of no width and no type in the list are within 128 KB of flash."""
    status, found = _fit(capsys, str(mobilenet_v2(tmp_path, rows=96)), "-t", "stm32f072")
    assert (1, "over") == (status, found["status"])
    assert all("flash" in each["because"] for each in found["refuted"])
