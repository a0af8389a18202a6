# SPDX-License-Identifier: Apache-2.0
"""The program as a process: its signals, and streams that are closed or full."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from types import FrameType

__all__ = ["Stopped", "open_streams", "stop_on_signals", "without_output"]

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Stopped(BaseException):
    """A signal ends the program: everything that is under way cleans up and passes this on."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def stop_on_signals() -> None:
    """Make signals that end the program end its tools, too, and clean up."""
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    from mcuplan.prove.children import CHILDREN

    CHILDREN.stop()
    raise Stopped(number)


def open_streams() -> None:
    """Give closed streams something to write to, so that no file gets their number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            with suppress(OSError):
                _nothing_as(number)
                stream = os.fdopen(number, mode, encoding="utf-8", closefd=False)
                setattr(sys, name, stream)


def without_output() -> None:
    """Nothing may be written to stdout any more, at exit neither."""
    with suppress(OSError, ValueError):
        _nothing_as(sys.stdout.fileno())


def _nothing_as(number: int) -> None:
    """Make a file number that of the null device."""
    handle = os.open(os.devnull, os.O_RDWR)
    if handle != number:
        os.dup2(handle, number)
        os.close(handle)
