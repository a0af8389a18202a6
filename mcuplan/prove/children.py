# SPDX-License-Identifier: Apache-2.0
"""The programs that this process runs, which end with it however it ends.

All of them run in one process group, led by a keeper: a shell that reads from a pipe which this
process alone can write to. The pipe ends when this process does, be it killed, and then the
keeper kills its group. The children of a compiler are in it, too.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from mcuplan.errors import ToolFailed

__all__ = ["CHILDREN", "Children"]

_KEEPER = ("/bin/sh", "-c", "trap '' HUP INT TERM; while read -r _; do :; done; kill -KILL 0")
_CLOSE_SECONDS = 5.0


class Children:
    """The programs that one process runs."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._keepers: list[subprocess.Popen[bytes]] = []
        self._stopped = False

    def run(
        self, command: Sequence[str], work: Path, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in ``work``, without input, and keep what it prints.

        Raises:
            OSError: it cannot be started.
            ToolFailed: the programs have been stopped.
            subprocess.TimeoutExpired: it took too long and was killed.
        """
        group = self._group()
        process = subprocess.Popen(
            list(command),
            cwd=work,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            process_group=group,
        )
        with process:
            try:
                if self._stopped:  # while it started: the group was killed before it joined
                    self._kill(process)
                printed, complained = process.communicate(timeout=timeout_s)
            except BaseException:
                self._kill(process)
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, printed, complained)

    def _kill(self, process: subprocess.Popen[str]) -> None:
        """Kill a program, and what it started where all is to end."""
        if self._stopped:
            self.stop()
        process.kill()

    def stop(self) -> None:
        """Kill what runs, and start nothing any more."""
        self._stopped = True
        for keeper in self._keepers:
            _kill_group(keeper)

    def close(self) -> None:
        """Kill what is left, and the keepers."""
        for keeper in self._keepers:
            _kill_group(keeper)
            if keeper.stdin is not None:
                keeper.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                keeper.wait(_CLOSE_SECONDS)
        self._keepers.clear()

    def _group(self) -> int | None:
        """The group that new programs join; None where there are no such groups."""
        if os.name != "posix" or not os.path.exists(_KEEPER[0]):
            return None
        with self._lock:
            if self._stopped:
                raise ToolFailed("was stopped")
            if not self._keepers or self._keepers[-1].poll() is not None:
                self._keepers.append(_start_keeper())
            return self._keepers[-1].pid


def _start_keeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        _KEEPER,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
        cwd="/",
    )


def _kill_group(keeper: subprocess.Popen[bytes]) -> None:
    """Kill a keeper and its group; a keeper that was waited for has a number no more."""
    if keeper.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(keeper.pid, signal.SIGKILL)


CHILDREN = Children()
"""Those of this process: there is one set of them, as there is one process."""

atexit.register(CHILDREN.close)
