# SPDX-License-Identifier: Apache-2.0
"""Temporary files and folders whose names say which process made them.

A process that is killed leaves them behind. A later one removes those whose process is provably
gone: the name holds the number of the process, when it started, and on which system and in which
space of process numbers that was, so that no number is taken for another process's.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["clear_left", "prefix", "temporary_folder"]

_STEM = "mcuplan-"
_NAME = re.compile(r"(\d+)-(\d+)-([0-9a-f]{8})-\w{8}")


def prefix(hidden: bool = False) -> str:
    """How names of this process's temporary files begin; eight characters must follow."""
    number = os.getpid()
    return f"{_start(hidden)}{number}-{_started(number)}-{_system()}-"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder, removed in the end."""
    with tempfile.TemporaryDirectory(prefix=prefix()) as name:
        yield Path(name)


def clear_left(folder: str | Path = "", *, hidden: bool = False) -> None:
    """Remove what processes that are gone left in a folder, by default that of temporary files."""
    begin, left = _start(hidden), []
    with suppress(OSError), os.scandir(folder or tempfile.gettempdir()) as entries:
        left = [e for e in entries if e.name.startswith(begin) and _is_left(e, len(begin))]
    for entry in left:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            with suppress(OSError):
                os.unlink(entry.path)


def _start(hidden: bool) -> str:
    return f".{_STEM}" if hidden else _STEM


def _is_left(entry: os.DirEntry[str], skip: int) -> bool:
    """Whether it is this user's file or folder, and its process ran here and is gone."""
    found = _NAME.fullmatch(entry.name[skip:])
    if found is None or found[3] != _system():
        return False
    there = entry.stat(follow_symlinks=False)
    ours = there.st_uid == os.geteuid()
    kind = stat.S_ISDIR(there.st_mode) or stat.S_ISREG(there.st_mode)
    return ours and kind and not _runs(int(found[1]), found[2])


def _runs(number: int, started: str) -> bool:
    """Whether the process of that number runs, and is the one that started then."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return _started(number) == started


def _started(number: int) -> str:
    """When a process started, in ticks since the system did; 0 where the system does not tell."""
    try:
        text = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
        return str(int(text.rsplit(")", 1)[1].split()[19]))
    except (OSError, IndexError, ValueError):
        return "0"


def _system() -> str:
    """Stands for this start of the system and its space of process numbers."""
    known = []
    with suppress(OSError):
        known.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        known.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("".join(known).encode()).hexdigest()[:8]
