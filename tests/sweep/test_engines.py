# SPDX-License-Identifier: Apache-2.0
"""Every engine gives the same rows, be workers killed, stuck or defect."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from swept import Here, cases, write_models

import mcuplan
from mcuplan import commands
from mcuplan.errors import ToolFailed
from mcuplan.sweep.cache import Rows
from mcuplan.sweep.cases import Case
from mcuplan.sweep.engines import Engine
from mcuplan.sweep.limit import answered
from mcuplan.sweep.local import Local
from mcuplan.sweep.on_dask import Dask
from mcuplan.sweep.on_ray import Ray
from mcuplan.sweep.rows import Row
from mcuplan.sweep.run import Sweep

_LONG_S = 300.0


@pytest.fixture
def some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """Three models, one of them damaged, on two targets."""
    monkeypatch.chdir(tmp_path)
    write_models(Path())
    Path("net2.onnx").write_bytes(b"no model")
    return cases("*.onnx", "cortex-m0,cortex-m4")


def _table(some: list[Case], engine: Engine, at_first: object = None) -> list[Row]:
    """Rows in order; at the first that comes something may happen."""
    known = Rows(Path(f"known{len(list(Path().iterdir()))}"), "")
    made, heard = Sweep(some, known), []

    def hear(row: Row) -> None:
        heard.append(row)
        if len(heard) == 1 and callable(at_first):
            at_first()

    made.run(made.left(), engine, hear)
    assert made.total == len(heard)
    rows = list(made.rows())
    known.close()
    return rows


def _kill_a_worker() -> None:
    """The newest child of this process, as the system does when memory runs out."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    os.kill(int(children.split()[-1]), signal.SIGKILL)


class _Deadly:
    """Ends the process that unpickles it."""

    def __reduce__(self) -> Any:
        return os._exit, (9,)


def test_workers_that_die_are_replaced(some: list[Case]) -> None:
    """No row is lost or there twice; only a task that kills all its workers is given up."""
    wanted = _table(some, Here())
    assert ["error"] * 2 == [row.verdict for row in wanted[4:]]
    deadly = replace(some[1], task=replace(some[1].task, options={"name": _Deadly()}))
    some[1] = deadly
    rows = _table(some, Local(1, _LONG_S, attempts=2), _kill_a_worker)
    assert wanted[:2] + wanted[4:] == rows[:2] + rows[4:]
    assert ["sweep/worker-died"] * 2 == [row.error_code for row in rows[2:4]]
    assert "ended 2 times, with status 9" in str(rows[2].error_message)


def test_workers_that_never_begin(some: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are at work go on with fewer; where there is none, that is said and why."""
    fresh, working = multiprocessing.get_context("spawn"), [1]

    def process(**given: Any) -> Any:
        if working:
            working.pop()
            return fresh.Process(**given)
        return fresh.Process(target=os._exit, args=(3,), daemon=True)

    wanted = _table(some, Here())
    context = SimpleNamespace(Pipe=fresh.Pipe, Process=process)
    monkeypatch.setattr(multiprocessing, "get_context", lambda kind: context)
    assert wanted == _table(some, Local(2, _LONG_S, attempts=2))
    with pytest.raises(ToolFailed, match="2 ended before their first task, with status 3") as found:
        _table(some, Local(2, _LONG_S, attempts=2))
    assert "the same command goes on" in found.value.hint


def test_a_row_that_takes_too_long_is_given_up(
    some: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the rest of its task; on clusters, where nobody is killed, too."""
    report = mcuplan.check("net0.onnx", "cortex-m0")

    def slow(*arguments: object) -> Iterator[object]:
        yield "cortex-m0", report
        while True:
            time.sleep(0.01)

    monkeypatch.setattr(commands, "check_targets", slow)
    late = answered(some[0].task, 0.3)
    assert ["fits", "error"] == [row.verdict for row in late]
    assert "sweep/timed-out" == late[1].error_code
    rows = _table(some[:1], Local(1, 0.0))
    assert ["sweep/timed-out"] * 2 == [row.error_code for row in rows]


def test_a_defect_is_a_row(some: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    """And the rest of its task goes on."""
    check_targets = commands.check_targets

    def broken(model: Path, targets: Sequence[str], options: Any) -> Iterator[object]:
        for target in targets:
            if target == "cortex-m0":
                raise ZeroDivisionError("broken on purpose")
            yield from check_targets(model, [target], options)

    monkeypatch.setattr(commands, "check_targets", broken)
    rows = _table(some[:1], Here())
    assert ["sweep/defect", None] == [row.error_code for row in rows]
    assert "ZeroDivisionError: broken on purpose" == rows[0].error_message


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_table(some: list[Case]) -> None:
    """Of two workers, and where one of them is killed."""
    distributed = pytest.importorskip("distributed")
    wanted = _table(some, Here())
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        workers = list(client.run(os.getpid).values())
        address = cluster.scheduler_address
        assert wanted == _table(some, Dask(address, 1, _LONG_S))
        kill = partial(os.kill, workers[0], signal.SIGKILL)
        assert wanted == _table(some, Dask(address, 1, _LONG_S), kill)


@pytest.mark.slow
def test_a_ray_cluster_gives_the_same_table(
    some: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two workers, and where one of them is killed."""
    ray = pytest.importorskip("ray", reason="Ray has no wheel here")
    wanted = _table(some, Here())
    monkeypatch.setenv("HOME", str(Path.cwd()))  # where Ray keeps a token
    with tempfile.TemporaryDirectory(prefix="ray") as folder:  # short: sockets lie in it
        _start_ray(ray, folder)
        _gives_the_same_with_ray(ray, some, wanted)


def _start_ray(ray: Any, folder: str) -> None:
    """A cluster on this machine; where none starts, as without shared memory, it is not tested."""

    def give_up(*_: object) -> None:
        raise TimeoutError("nothing answers")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(90)
    try:
        ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False, _temp_dir=folder)
    except (OSError, RuntimeError, ValueError) as error:
        ray.shutdown()
        pytest.skip(f"Ray does not start here: {error}")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _gives_the_same_with_ray(ray: Any, some: list[Case], wanted: list[Row]) -> None:
    try:
        assert wanted == _table(some, Ray("", 2, _LONG_S))
        assert wanted == _table(some, Ray("", 2, _LONG_S), _kill_a_ray_worker)
    finally:
        ray.shutdown()


def _kill_a_ray_worker() -> None:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if path.read_bytes().startswith((b"ray::answered", b"ray::IDLE")):
                os.kill(int(path.parent.name), signal.SIGKILL)
                return


_INTERRUPTED = """
import os, signal, sys, threading
from mcuplan.sweep.local import interrupts_held
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it

idle = threading.Thread(target=threading.Event().wait, args=(60,), daemon=True)
idle.start()
done = []
try:
    with interrupts_held():
        if sys.argv[1] == "thread":
            signal.pthread_kill(idle.ident, signal.SIGINT)
        else:
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        threading.Event().wait(0.1)
        done.append("held")
    threading.Event().wait(60)
except KeyboardInterrupt:
    done.append("interrupted")
assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
print(*done)
"""


@pytest.mark.parametrize("given", ["process", "thread"])
def test_ctrl_c_waits_until_a_worker_starts(given: str) -> None:
    """Whichever thread is given it; a worker that begins meanwhile inherits the mask."""
    ran = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED, given],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ("held interrupted\n", "") == (ran.stdout, ran.stderr)
