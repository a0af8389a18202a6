# SPDX-License-Identifier: Apache-2.0
"""The engine of this machine: processes that each have one task at a time.

A worker that dies takes nothing with it but the rows of its task that were not there yet; it is
replaced, and the task begun anew. Workers end with the process that started them, however it ends.
"""

from __future__ import annotations

import gc
import math
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from mcuplan.errors import McuplanError, ToolFailed, WorkerDied
from mcuplan.sweep.engines import ATTEMPTS, Answer
from mcuplan.sweep.limit import timed_out
from mcuplan.sweep.rows import Row
from mcuplan.sweep.tasks import Task, failed, run_task

__all__ = ["Local", "interrupts_held"]

MOST_BYTES = 256 << 20
"""A worker that holds more after a task is replaced by a fresh one."""

_NONE_BEGAN = "no process can work: {} ended before their first task, with {}"
_ROOM = "free memory, or fewer --jobs; rows that are there are kept: the same command goes on"


@dataclass(frozen=True, slots=True)
class Local:
    """Processes of this machine.

    Attributes:
        jobs: how many at once.
        timeout_s: how long the next row may take; then the task is given up.
        attempts: how often a task is begun whose workers die.
    """

    jobs: int
    timeout_s: float
    attempts: int = ATTEMPTS

    def run(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """Rows as they come; see `Engine`."""
        pool = _Pool(tasks, self.timeout_s, self.attempts)
        try:
            for _ in range(min(self.jobs, len(tasks))):
                pool.start()
            while pool.workers:
                yield from pool.step()
        finally:
            for worker in pool.workers:
                worker.stop()


@dataclass(slots=True)
class _Worker:
    """A process, and what it is at."""

    process: SpawnProcess
    pipe: Connection
    task: int | None = None
    deadline: float = math.inf

    def stop(self) -> None:
        """End it, whatever it is at."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


@dataclass(slots=True)
class _Pool:
    """Workers, tasks that nobody has begun, and how far the others are."""

    tasks: Sequence[Task]
    timeout_s: float
    attempts: int
    workers: list[_Worker] = field(default_factory=list)
    waiting: deque[int] = field(init=False)
    done: dict[int, int] = field(default_factory=dict)  # rows of tasks that are not at their end
    deaths: dict[int | None, int] = field(default_factory=dict)  # without a row between them

    def __post_init__(self) -> None:
        self.waiting = deque(range(len(self.tasks)))

    def start(self) -> None:
        """One more process, if there is something to do and the system has one.

        Raises:
            ToolFailed: there is none at all.
        """
        if not self.waiting:
            return
        fresh = multiprocessing.get_context("spawn")
        try:
            ours, theirs = fresh.Pipe()
            process = fresh.Process(target=_work, args=(theirs,), daemon=True)
            with interrupts_held():
                process.start()
        except OSError as error:
            if self.workers:
                return
            raise ToolFailed(f"no process can work: {error.strerror}", "", "fewer --jobs") from None
        theirs.close()
        self.workers.append(_Worker(process, ours))

    def _next(self, worker: _Worker) -> None:
        """Give a worker its next task, or let it go."""
        if not self.waiting:
            self._leave(worker)
            return
        worker.task = task = self.waiting.popleft()
        worker.deadline = time.monotonic() + self.timeout_s
        with suppress(OSError):  # it died: its end of the pipe says so when it is read
            worker.pipe.send(self.tasks[task].after(self.done.get(task, 0)))

    def _leave(self, worker: _Worker) -> None:
        self.workers.remove(worker)
        worker.stop()

    def step(self) -> Iterator[Answer]:
        """What the next event brings: rows, the end of a task, a death, or a time that is up."""
        due = min(worker.deadline for worker in self.workers)
        left = max(0.0, due - time.monotonic()) if due < math.inf else None
        heard = wait([worker.pipe for worker in self.workers], left)
        for worker in list(self.workers):
            if worker.pipe in heard:
                yield from self._hear(worker)
            elif worker.deadline <= time.monotonic():
                yield from self._give_up(worker, timed_out(self.timeout_s))

    def _hear(self, worker: _Worker) -> Iterator[Answer]:
        try:
            said = worker.pipe.recv()
        except (EOFError, OSError):
            yield from self._died(worker)
            return
        task = worker.task
        if isinstance(said, Row) and task is not None:
            self.done[task] = self.done.get(task, 0) + 1
            self.deaths.pop(task, None)
            worker.deadline = time.monotonic() + self.timeout_s
            yield Answer(task, said)
            return
        self.deaths.pop(task, None)
        if task is not None:
            self.done.pop(task, None)
        if said > MOST_BYTES and task is not None and self.waiting:
            self._leave(worker)
            self.start()
        else:
            self._next(worker)

    def _died(self, worker: _Worker) -> Iterator[Answer]:
        """A worker is gone: its task is begun again, unless that was tried often enough.

        Raises:
            ToolFailed: workers end before they begin, and no other works.
        """
        task = worker.task
        self.deaths[task] = self.deaths.get(task, 0) + 1
        worker.process.join()
        ended = _ending(worker.process.exitcode)
        if self.deaths[task] >= self.attempts:
            said = f"its process ended {self.attempts} times, with {ended}"
            if task is None:
                self._leave(worker)
                if not self.workers:
                    raise ToolFailed(_NONE_BEGAN.format(self.attempts, ended), "", _ROOM)
                return  # others work: with fewer of them the sweep comes to its end
            yield from self._give_up(worker, WorkerDied(said, hint="fewer --jobs"))
            return
        self._leave(worker)
        if task is not None:
            self.waiting.appendleft(task)
        self.start()

    def _give_up(self, worker: _Worker, error: McuplanError) -> Iterator[Answer]:
        task = worker.task
        assert task is not None  # who has none has no deadline
        left = self.tasks[task].after(self.done.pop(task, 0))
        self._leave(worker)
        for row in failed(left, error):
            yield Answer(task, row)
        self.start()


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Ctrl-C comes after it, so that a process that starts meanwhile says nothing about one.

    The mask is for that process, which inherits it; the handler for this one, any of whose threads
    may be given the signal.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # it would let them through
    came: list[int] = []
    handles = threading.current_thread() is threading.main_thread()  # no other thread may say how
    if handles:
        before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        if handles:
            signal.signal(signal.SIGINT, before or signal.SIG_DFL)
        if came:
            signal.raise_signal(signal.SIGINT)


def _ending(status: int | None) -> str:
    """How a process ended, in words that are the same everywhere."""
    if status is not None and status < 0:
        return f"signal {-status}"
    return f"status {status}"


def _work(pipe: Connection) -> None:
    """What a worker does: says how many bytes it holds, and is given a task, whose rows it says."""
    gc.set_threshold(100_000, 50, 50)  # graphs and plans are frozen: few cycles, many objects
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it; held until here
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        while True:
            pipe.send(_held_bytes())
            for row in run_task(pipe.recv()):
                pipe.send(row)
    except (EOFError, OSError):
        return  # nobody asks any more


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)


def _held_bytes() -> int:
    """Bytes of memory that this process holds; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
