# SPDX-License-Identifier: Apache-2.0
"""The commands as functions of Python."""

from __future__ import annotations

import doctest
import json
import multiprocessing
import os
import pickle
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from small_nets import small_net

import mcuplan
from mcuplan import McuplanError, api
from mcuplan.cli import run
from mcuplan.report import render

_ROOT = Path(__file__).resolve().parents[1]
_BOARD = "nucleo-f446re"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of a file named as one that has none is, in the current folder."""
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path / "model")
    small_net().save(Path("model.onnx"))
    return Path("model.onnx")


def test_examples_are_true(monkeypatch: pytest.MonkeyPatch) -> None:
    """What docstrings and page show is what comes; what is built is shown further on."""
    monkeypatch.chdir(_ROOT)
    for done in (doctest.testmod(api), _run_page(0)):
        assert 0 == done.failed < done.attempted


def test_the_proof_of_the_page_is_true(monkeypatch: pytest.MonkeyPatch, host_gcc: str) -> None:
    """So is what the page shows of building and running."""
    monkeypatch.chdir(_ROOT)
    done = _run_page(1)
    assert 0 == done.failed < done.attempted


def _run_page(part: int) -> doctest.TestResults:
    """The page before, or after, the heading of what is built."""
    parts = (_ROOT / "docs" / "python.md").read_text("utf-8").split("\n## Proof\n")
    read = doctest.DocTestParser().get_doctest(parts[part], {"mcuplan": mcuplan}, "page", None, 0)
    return doctest.DocTestRunner().run(read)


def test_the_package_loads_nothing_before_it_is_asked() -> None:
    """``import mcuplan`` loads no other module of it, and then every name is there."""
    script = (
        "import sys, mcuplan\n"
        "print([m for m in sys.modules if m.startswith(('mcuplan.', 'numpy', 'onnx', 'click'))])\n"
        "assert all(getattr(mcuplan, name) for name in mcuplan.__all__)\n"
        "assert set(mcuplan.__all__) <= set(dir(mcuplan)) and not hasattr(mcuplan, 'nothing')\n"
    )
    root = str(Path(mcuplan.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert "[]\n" == done.stdout


def test_a_report_is_that_of_the_command_line(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same options give the same report, whatever the model comes as."""
    options = ["--target", _BOARD, "--max-ram", "64K", "--objective", "ram", "--effort", "fast"]
    assert 0 == run(["check", str(model), *options, "--format", "json"])
    printed = capsys.readouterr().out
    data = model.read_bytes()
    for given in (model, str(model), data, onnx.load(model)):
        found = mcuplan.check(given, _BOARD, max_ram=65536, objective="ram", effort="fast")
        wanted = json.loads(printed)
        del wanted["asked"]  # of words
        wanted["model"]["sha256"] = found.model.sha256  # an object is written anew
        assert wanted == json.loads(render("json", found))


def test_reports_of_many_targets_are_those_of_each(model: Path) -> None:
    """One call for many targets gives what a call for each one does, and errors beside them."""
    targets = [_BOARD, "nothing", "rp2040", "cortex-m55", _BOARD]
    options: dict[str, Any] = {"max_ram": 65536, "effort": "fast"}
    for source in (model, b"no model"):
        found = list(mcuplan.check_targets(source, targets, **options))
        assert targets == [name for name, _ in found]
        for name, report in found:
            if isinstance(report, McuplanError):
                with pytest.raises(type(report), match=re.escape(str(report))):
                    mcuplan.check(source, name, **options)
            else:
                assert report == mcuplan.check(source, name, **options)
    assert all(isinstance(report, McuplanError) for _, report in found)


def test_generated_files_are_those_of_the_command_line(model: Path) -> None:
    """Functions give as bytes what the command writes."""
    given = ["--target", _BOARD, "--calibration", "random"]
    assert 0 == run(["generate", str(model), *given, "-q", "-o", "out"])
    for source in (model, model.read_bytes()):
        made = mcuplan.generate(source, _BOARD, calibration="random")
        written = {p.relative_to("out"): p.read_bytes() for p in Path("out").rglob("*.*")}
        assert written.keys() == made.files.keys()
        differ = {str(name) for name, data in written.items() if made.files[name] != data}
        assert {"model.report.json"} == differ  # which says what was asked


def test_options_take_values_of_python(model: Path) -> None:
    """Tables, numbers and paths stand for what is written on the command line."""
    samples = np.random.default_rng(3).standard_normal((6, 2, 8, 8)).astype(np.float32)
    np.savez("data.npz", input=samples)
    made = mcuplan.quantize(
        model,
        calibration=Path("data.npz"),
        input_range={"input": "-4:4"},
        observer=["mse"],
        cut_output=None,
    )
    assert "QuantizeLinear" in {node.op_type for node in made.graph.node}
    assert mcuplan.check(made, _BOARD).model.dtype == "int8 (QDQ)"


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ({"max_ran": "1K"}, "usage/bad-argument", "max_ram"),
        ({"t": "cortex-m4"}, "usage/bad-argument", "no option"),
        ({"max_ram": "1X"}, "usage/bad-argument", "no size"),
        ({"objective": "speed"}, "usage/bad-argument", "balanced"),
        ({"frontier": 3}, "usage/bad-argument", "true or false"),
        ({"build": "no"}, "usage/bad-argument", "true or false"),
        ({"dtype": True}, "usage/bad-argument", "dtype"),
        ({"target": "nothing"}, "target/not-found", "nothing"),
        ({"baseline": "nothing.json"}, "baseline/unreadable", "nothing.json"),
        ({"model": b"no model"}, "model/damaged", "not an ONNX model"),
        ({"model": 3}, "usage/bad-argument", "int"),
        ({"model": "nothing.onnx"}, "usage/bad-argument", "no such file"),
    ],
)
def test_errors_are_coded(model: Path, options: dict[str, object], code: str, said: str) -> None:
    """What a user gives wrong is an error with a code, which survives the way from a process."""
    with pytest.raises(mcuplan.McuplanError) as raised:
        mcuplan.check(**{"model": model, "target": _BOARD, **options})
    assert code == raised.value.code
    again = pickle.loads(pickle.dumps(raised.value))
    assert said in f"{again} {again.hint}"
    assert (raised.value.where, raised.value.hint) == (again.where, again.hint)


def test_environment_and_files_have_no_say(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function does what its arguments say, wherever it runs."""
    before = mcuplan.check(model, _BOARD)
    monkeypatch.setenv("MCUPLAN_MAX_RAM", "1K")
    Path("mcuplan.toml").write_text('max-flash = "1K"')
    assert before == mcuplan.check(model, _BOARD)


def test_threads_and_processes_do_not_disturb_each_other(model: Path) -> None:
    """Calls at once give what they give one after the other."""
    data = model.read_bytes()
    calls = [partial(mcuplan.check, data, _BOARD, objective=o) for o in ("ram", "latency", "flash")]
    alone = [call() for call in calls]
    assert 1 < len({report.latency.cycles for report in alone})
    with ThreadPoolExecutor(3) as threads:
        assert alone == [made.result() for made in map(threads.submit, calls)]
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, fresh) as processes:
        assert alone[:2] == [made.result() for made in map(processes.submit, calls[:2])]
