# SPDX-License-Identifier: Apache-2.0
"""All rows of a task in one call, as clusters want it, within a time that is given."""

from __future__ import annotations

import ctypes
import threading

from mcuplan.errors import TimedOut
from mcuplan.sweep.rows import Row
from mcuplan.sweep.tasks import Task, failed, run_task

__all__ = ["answered", "timed_out"]


class _Late(BaseException):
    """The time is up: passes whatever handles errors of models."""


def timed_out(seconds: float) -> TimedOut:
    """What rows say that took too long."""
    return TimedOut(f"no answer in {seconds:g} s", hint="--timeout, --effort fast")


def answered(task: Task, timeout_s: float) -> list[Row]:
    """Rows of all targets; those that are not there when one has taken too long say so.

    The thread that calls this is interrupted between two steps of Python: workers of clusters
    must not be killed, for they may run other tasks.
    """
    rows: list[Row] = []
    alarm = _Alarm(timeout_s)
    try:
        alarm.begin()
        for row in run_task(task):
            rows.append(row)
            alarm.begin()
        alarm.end()
    except _Late:
        rows += failed(task.after(len(rows)), timed_out(timeout_s))
    finally:
        alarm.end()
    return rows


class _Alarm:
    """Interrupts the thread that made it."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._thread = seconds, threading.get_ident()
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """From now on; an earlier time no longer counts."""
        self.end()
        timer = threading.Timer(self._seconds, self._ring)
        timer.daemon = True
        self._timer = timer
        timer.args = [timer]
        timer.start()

    def end(self) -> None:
        """No time is running any more."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _ring(self, timer: threading.Timer) -> None:
        with self._lock:
            if self._timer is timer:
                self._timer = None
                thread = ctypes.c_ulong(self._thread)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(_Late))
