# SPDX-License-Identifier: Apache-2.0
"""What a command does to the places that it writes to."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from small_nets import small_net

import mcuplan
from mcuplan.cli import run

ROOT = str(Path(mcuplan.__file__).resolve().parents[1])  # of what is tested, installed or not
CHECK = ["check", "net.onnx", "--target", "nucleo-f446re"]


@pytest.fixture(autouse=True)
def _in_a_folder_with_a_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("MCUPLAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    small_net().save(tmp_path / "net.onnx")


def is_report(text: str) -> bool:
    """Whether the text is one JSON report."""
    return "mcuplan.report/1" == json.loads(text)["schema"]


def spawn(arguments: list[str], stdout: int) -> int:
    """The program in a process of its own, with a given stdout."""
    command = [sys.executable, "-m", "mcuplan", *arguments]
    env = {**os.environ, "PYTHONPATH": ROOT}
    return subprocess.run(command, stdout=stdout, env=env, check=False, timeout=60).returncode


def test_a_link_is_followed(tmp_path: Path) -> None:
    """A report goes to the file that a link names, there already or not; the link stays."""
    for name, there in (("old.json", True), ("new.json", False)):
        link, file = tmp_path / f"link-{name}", tmp_path / name
        if there:
            file.write_text("before")
        link.symlink_to(file)
        assert 0 == run([*CHECK, "-q", "--report", f"json={link}"])
        assert link.is_symlink()
        assert is_report(file.read_text())


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    """A private file stays private."""
    file = tmp_path / "report.json"
    file.write_text("before")
    file.chmod(0o600)
    assert 0 == run([*CHECK, "-q", "--report", f"json={file}"])
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert is_report(file.read_text())


def test_a_pipe_takes_the_report_as_a_stream(tmp_path: Path) -> None:
    """A named pipe is written into and stays a pipe."""
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()), daemon=True)
    reader.start()
    assert 0 == run([*CHECK, "-q", "--report", f"json={pipe}"])
    reader.join(timeout=30)
    assert pipe.is_fifo()
    assert is_report(got[0])


def test_a_device_stays_a_device(tmp_path: Path) -> None:
    """Bytes go into a device, through a link as well; neither is replaced."""
    device, link = tmp_path / "null", tmp_path / "link"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        device.write_text("")
    except OSError as error:
        pytest.skip(f"no device can be made here: {error}")
    link.symlink_to(device)
    for path in (device, link):
        assert 0 == run([*CHECK, "-q", "--report", f"json={path}"])
        assert stat.S_ISCHR(device.stat().st_mode)
    assert link.is_symlink()


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_stdout_by_its_name(tmp_path: Path, name: str) -> None:
    """A report for stdout arrives there, be it a pipe or a file that a shell opened."""
    if not os.path.exists(name):
        pytest.skip(f"no {name} here")
    command = [*CHECK, "--report", f"json={name}", "--format", "markdown"]
    file = tmp_path / "out.txt"
    with file.open("wb") as out:
        out.write(b"first\n")
        out.flush()
        assert 0 == spawn(command, out.fileno())
    first, text = file.read_text().split("\n", 1)
    report, end = json.JSONDecoder().raw_decode(text)
    assert "first" == first
    assert "mcuplan.report/1" == report["schema"]
    assert "fits" in text[end:].lower()  # what stdout got besides

    done = subprocess.run(
        [sys.executable, "-m", "mcuplan", *CHECK, "-q", "--report", f"json={name}"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ROOT},
        check=True,
        timeout=60,
    )
    assert is_report(done.stdout)


def test_several_files_all_or_none(tmp_path: Path) -> None:
    """Where one of the places cannot be written nothing is, and nothing is left beside them."""
    (tmp_path / "a.json").write_text("before")
    (tmp_path / "net.md").mkdir()
    reports = ["--report", "json=a.json", "--report", "markdown=net.md"]
    assert 2 == run([*CHECK, "-q", *reports])
    assert "before" == (tmp_path / "a.json").read_text()
    assert {"net.onnx", "a.json", "net.md"} == {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    "arguments",
    [
        [*CHECK, "--report", "json=net.onnx"],
        [*CHECK, "--report", "json=also.onnx"],
        ["quantize", "net.onnx", "--calibration", "random", "-o", "net.onnx"],
    ],
)
def test_the_model_is_not_written_over(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor through a link: a wrong name must not cost what is being read."""
    (tmp_path / "also.onnx").symlink_to("net.onnx")
    before = (tmp_path / "net.onnx").read_bytes()
    assert 2 == run(arguments)
    assert "is a file that is read" in capsys.readouterr().err
    assert before == (tmp_path / "net.onnx").read_bytes()


@pytest.mark.parametrize("place", ["", "taken"])
def test_a_folder_that_cannot_be_written_stays(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither this folder for an empty name, nor half of the files where one is a folder."""
    small_net().save(tmp_path / "net.onnx")
    (tmp_path / "taken" / "mplan").mkdir(parents=True)
    (tmp_path / "taken" / "mplan" / "mplan.h").touch()
    (tmp_path / "taken" / "net.h").mkdir()
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert 2 == run(["generate", "net.onnx", "-t", "cortex-m4", "-q", "-o", place])
    assert before == sorted(tmp_path.rglob("*"))


@pytest.mark.parametrize("command", ["generate", "bundle", "evidence"])
def test_a_folder_of_others_stays(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is written into the root, the home folder or among files of others: said at once."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "firmware").mkdir()
    (tmp_path / "firmware" / "Makefile").write_text("all:\n")
    names = sorted(os.listdir("/"))
    for place in ("/", "home", "firmware", "."):
        assert 2 == run([command, "missing.onnx", "-t", "cortex-m4", "-o", place])
        assert place in capsys.readouterr().err
    assert (names, []) == (sorted(os.listdir("/")), os.listdir("home"))
    assert ["Makefile"] == os.listdir("firmware")


def test_a_folder_takes_what_it_had(tmp_path: Path) -> None:
    """Generated code is replaced where it was, and goes where only hidden files are."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".gitkeep").touch()
    asked = [
        "generate",
        "net.onnx",
        "-t",
        "cortex-m4",
        "-q",
        "--calibration",
        "random",
        "-o",
        "out",
    ]
    assert [0, 0] == [run([*asked, *more]) for more in ((), ("--package", "make"))]
    assert 0 == run([*asked, "--package", "make"])


def test_a_loop_of_links_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing can be written into links that lead to themselves."""
    Path("loop").symlink_to("loop")
    assert 2 == run([*CHECK, "--report", "json=loop/a.json"])
    words = ["--target", "nucleo-f446re", "--calibration", "random", "-o", "loop"]
    assert 2 == run(["generate", "net.onnx", *words])
    assert "Traceback" not in capsys.readouterr().err


def test_arrays_that_nothing_reads_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    """By `quantize`, too: labels under another name would not be judged by."""
    port = small_net().model().graph.input[0]
    shape = [dim.dim_value for dim in port.type.tensor_type.shape.dim]
    samples = np.ones((2, *shape[1:]), np.float32)
    np.savez("data.npz", **{port.name: samples, "y": np.zeros(2, np.int64)})
    assert 0 == run(["quantize", "net.onnx", "--calibration", "data.npz", "-o", "out.onnx"])
    assert "note: data.npz: arrays ignored: y\n" in capsys.readouterr().err
