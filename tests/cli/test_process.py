# SPDX-License-Identifier: Apache-2.0
"""Signals, closed and full streams: what is left of a run, and which status it ends with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest
from small_nets import small_net

from mcuplan.tempfiles import clear_left, prefix, temporary_folder

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
SECONDS = 120.0
ENDING = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a model, a compiler that never ends, and a place for temporary files."""
    for name in ("tools", "temporary"):
        (tmp_path / name).mkdir()
    small_net().save(tmp_path / "net.onnx")
    script = (
        "#!/bin/sh\n[ $1 = --version ] && { echo gcc 12.2; exit; }\n"
        f"sleep 300 & echo $$ $! >> {tmp_path}/pids; wait\n"
    )
    for name in ("gcc", "clang"):
        (tmp_path / "tools" / name).write_text(script)
        (tmp_path / "tools" / name).chmod(0o755)
    return tmp_path


def _start(place: Path, *arguments: str, **streams: int) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "PATH": f"{place / 'tools'}:{os.environ['PATH']}",
        "TMPDIR": str(place / "temporary"),
    }
    command = [sys.executable, "-m", "mcuplan", *arguments]
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        command, cwd=place, env=environment, preexec_fn=_as_from_a_terminal, **streams
    )


def _as_from_a_terminal() -> None:
    """Signals end the program, which are ignored where the tests run in the background."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)


def _verify(place: Path) -> subprocess.Popen[bytes]:
    """A verification whose compiler has started."""
    arguments = ["verify", "net.onnx", "-t", "cortex-m4", "--calibration", "random", "--on", "host"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = _start(place, *arguments, **quiet)
    _until(lambda: (place / "pids").exists() and bool((place / "pids").read_text().split()))
    return running


def _end(running: subprocess.Popen[bytes]) -> int:
    """The status of a program that ends by itself; else it is killed."""
    try:
        return running.wait(SECONDS)
    finally:
        running.kill()
        running.wait()


def _until(happened: Callable[[], bool]) -> None:
    end = monotonic() + SECONDS
    while not happened():
        assert monotonic() < end, "did not happen"
        sleep(0.02)


def _left(place: Path) -> list[str]:
    """Tools that still run."""
    numbers = (place / "pids").read_text().split()
    return [number for number in numbers if _runs(number)]


def _runs(number: str) -> bool:
    try:
        text = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return False
    return text.rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_tools_and_cleans_up(number: signal.Signals, place: Path) -> None:
    """The status is 128 + the signal, no tool runs on, no temporary folder stays."""
    running = _verify(place)
    assert 1 == len(list((place / "temporary").glob("mcuplan-*")))

    running.send_signal(number)

    assert 128 + number == _end(running)
    _until(lambda: not _left(place))
    assert [] == list((place / "temporary").glob("mcuplan-*"))


def test_a_killed_run_leaves_no_tools_and_the_next_cleans_up(place: Path) -> None:
    """Tools end with a process that is killed, and its temporary folder goes with the next run."""
    running = _verify(place)
    running.kill()
    running.wait(SECONDS)

    _until(lambda: not _left(place))
    assert 1 == len(list((place / "temporary").glob("mcuplan-*")))
    assert 0 == _start(place, "--version", stdout=subprocess.DEVNULL).wait(SECONDS)
    assert [] == list((place / "temporary").glob("mcuplan-*"))


def test_only_what_is_provably_left_is_removed(tmp_path: Path) -> None:
    """Folders of processes that run, of other systems, links and other names stay."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    own = prefix()
    _, number, started, system, _ = own.split("-")
    names = {
        "left": f"mcuplan-{gone.pid}-{started}-{system}-abcdefgh",
        "number taken again": f"mcuplan-{number}-1-{system}-abcdefgh",
        "running": f"{own}abcdefgh",
        "other system": f"mcuplan-{gone.pid}-{started}-00000000-abcdefgh",
        "other name": f"mcuplan-{gone.pid}-notes",
        "linked": f"mcuplan-{gone.pid}-{started}-{system}-linked00",
    }
    kept = tmp_path / "kept"
    kept.mkdir()
    for what, name in names.items():
        if what == "linked":
            (tmp_path / name).symlink_to(kept)
        else:
            (tmp_path / name).mkdir()

    clear_left(tmp_path)

    there = {path.name for path in tmp_path.iterdir()}
    expected = [names[what] for what in ("running", "other system", "other name", "linked")]
    assert {"kept", *expected} == there


def test_a_folder_is_removed_in_the_end() -> None:
    """A temporary folder is private, named after the process, and gone after use."""
    with temporary_folder() as folder:
        assert folder.name.startswith(prefix())
        assert 0o700 == folder.stat().st_mode & 0o777
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_generate_leaves_no_part_of_a_bundle(number: signal.Signals, place: Path) -> None:
    """All files or no folder, whenever it is stopped; the next run leaves nothing beside it."""
    arguments = ["generate", "net.onnx", "-t", "cortex-m4", "--calibration", "random", "-q"]
    whole = _start(place, *arguments, "-o", "whole", stderr=subprocess.DEVNULL)
    assert 0 == whole.wait(SECONDS)
    files = sorted(p.relative_to(place / "whole") for p in (place / "whole").rglob("*"))
    running = _start(place, *arguments, "-o", "made", stderr=subprocess.DEVNULL)
    _until(lambda: running.poll() is not None or any(place.glob(".mcuplan-*")))

    running.send_signal(number)

    running.wait(SECONDS)
    made = sorted(p.relative_to(place / "made") for p in (place / "made").rglob("*"))
    assert made in ([], files)
    again = _start(place, *arguments, "-o", "again", stderr=subprocess.DEVNULL)
    assert 0 == again.wait(SECONDS)
    assert [] == list(place.glob(".mcuplan-*"))


def test_a_full_stdout_has_a_status_of_its_own(place: Path) -> None:
    """It is said what does not work, without a traceback."""
    if not Path("/dev/full").exists():
        pytest.skip("the system has no /dev/full")
    with open("/dev/full", "wb") as full:
        running = _start(
            place, "check", "net.onnx", "-t", "cortex-m4", stdout=full.fileno(), stderr=-1
        )
        _, said = running.communicate(timeout=SECONDS)
    assert (74, b"output: No space left on device\n") == (running.returncode, said)


def test_closed_streams_change_no_status(place: Path) -> None:
    """Without stdout, stderr or stdin the verdict is the status."""
    command = f"{sys.executable} -m mcuplan check net.onnx -t cortex-m4"
    for status, closed in ((0, ">&-"), (1, "2>&-"), (0, ">&- 2>&- <&-"), (1, ">&- 2>&- <&-")):
        limit = "--max-ram 1" if status else ""
        asked = ["sh", "-c", f"{command} {limit} {closed}"]
        done = subprocess.run(asked, cwd=place, capture_output=True)
        assert status == done.returncode
        assert status or done.stderr == b""


@pytest.mark.parametrize("command", [("targets", "list"), ("--help",)])
def test_a_reader_that_goes_away_is_no_verdict(place: Path, command: tuple[str, ...]) -> None:
    """The status is that of a broken pipe, not the 1 of a budget."""
    reader, writer = os.pipe()
    os.close(reader)
    running = _start(place, *command, stdout=writer, stderr=-1)
    os.close(writer)
    _, said = running.communicate(timeout=SECONDS)
    assert (141, b"") == (running.returncode, said)
