# SPDX-License-Identifier: Apache-2.0
"""Files that a command writes: all or nothing, and never in place of what is no file.

A regular file is replaced by a rename, so that no reader sees half of it. Links are followed to
the file that they name. Devices, pipes and what ``/dev/stdout`` stands for take bytes as they
come: to replace one would destroy it for everybody.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from mcuplan.cli._inputs import is_read
from mcuplan.errors import UsageError
from mcuplan.tempfiles import clear_left, prefix

__all__ = [
    "check_apart",
    "check_folder",
    "check_outputs",
    "check_writable",
    "write_file",
    "write_new",
    "write_tree",
]


_GENERATED = ("mplan/mplan.h", "src/mplan/mplan.h")  # without packages, and with


def check_apart(path: Path, *more: Path, kept: bool = True) -> None:
    """Fail where a file would take the place of one that the command reads, or of ``more``.

    Raises:
        UsageError: it would; reports that `verify` left count unless not ``kept``.
    """
    if is_read(path, *more, kept=kept):
        raise UsageError("is a file that is read", str(path), "give another name")


def check_writable(path: Path, *sources: Path) -> None:
    """Fail before long work, not after it.

    Raises:
        UsageError: ``path`` is a folder, lies in a folder that does not exist, or is one of the
            files that the command reads, or of ``sources``.
    """
    check_apart(path, *sources)
    if not os.path.isdir(os.path.dirname(os.path.realpath(path))) and not os.path.exists(path):
        raise UsageError("the folder does not exist", str(path), "make it first")
    if os.path.isdir(path):
        raise UsageError("is a folder", str(path), "give a file name")


def check_outputs(paths: Iterable[Path]) -> None:
    """Fail before long work where one cannot be written, or two are the same file.

    Raises:
        UsageError: as :func:`check_writable`, or the second would take the place of the first.
    """
    seen: set[str] = set()
    for path in paths:
        check_writable(path)
        place = os.path.realpath(path)
        if place in seen and not _is_stream(path):
            raise UsageError("is given twice", str(path), "give each report a file of its own")
        seen.add(place)


def check_folder(folder: Path, *, generated: bool = True) -> None:
    """Fail unless generated files may go there, before long work.

    That is a folder that is new, empty but for hidden files, or has generated code already: files
    with common names (README.md, Makefile) never take the place of somebody's own. Not
    ``generated``: files of a folder that is no place for code, so that it must be empty.

    Raises:
        UsageError: it is no folder, the root or home folder, or holds other files.
    """
    if not os.path.lexists(folder):
        return
    if not os.path.isdir(folder):
        raise UsageError("is no folder", str(folder), "give a folder for the generated files")
    hint = "give a new folder" + (", or one that mcuplan wrote" if generated else "")
    here = os.path.realpath(folder)
    if here in (os.path.realpath(os.sep), os.path.realpath(Path.home())):
        raise UsageError("is the root or home folder", str(folder), hint)
    ours = generated and any(os.path.isfile(folder / name) for name in _GENERATED)
    hidden = "." if generated else ()
    if not ours and any(not name.startswith(hidden) for name in os.listdir(folder)):
        raise UsageError("holds other files", str(folder), hint)


def write_file(path: Path, data: bytes | Iterable[bytes]) -> None:
    """The whole file or nothing: written beside its place, piece by piece, then renamed.

    Raises:
        UsageError: the place cannot be written.
    """
    _write({path: data})


def write_new(path: Path, data: bytes) -> bool:
    """Write a file, and its folder, where there is none; whether that was so.

    Raises:
        UsageError: the place cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as stream:
            stream.write(data)
    except FileExistsError:
        return False
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", str(path)) from None
    return True


def write_tree(folder: Path, files: Mapping[Path, bytes]) -> None:
    """Files of a bundle into a folder that is made if need be.

    Raises:
        UsageError: the folder cannot be made, a file not be written, or is one that is read.
    """
    new = not os.path.lexists(folder)
    taken = next((name for name in files if os.path.isdir(folder / name)), None)
    if taken is not None:
        raise UsageError("cannot be written: Is a directory", str(folder / taken))
    for name in files:
        check_apart(folder / name)
    try:
        if new:
            folder.parent.mkdir(parents=True, exist_ok=True)
            _make_tree(folder, files)
            return
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot be made: {error.strerror}", str(folder)) from None
    _write({folder / name: data for name, data in files.items()})


def _make_tree(folder: Path, files: Mapping[Path, bytes]) -> None:
    """A new folder with files, written under another name and renamed when it is whole."""
    clear_left(folder.parent, hidden=True)
    made = Path(tempfile.mkdtemp(prefix=prefix(hidden=True), dir=folder.parent))
    try:
        for name, data in files.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_bytes(data)
        made.chmod(0o777 & ~_umask())
        made.rename(folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _write(files: Mapping[Path, bytes | Iterable[bytes]]) -> None:
    """All files or none: every one is written beside its place before the first is renamed."""
    written: list[tuple[str, str]] = []
    path = Path()
    try:
        streams = [path for path in files if _is_stream(path)]
        for folder in sorted({os.path.dirname(os.path.realpath(path)) for path in files}):
            clear_left(folder, hidden=True)
        for path, data in files.items():
            if path not in streams:
                written.append(_beside(os.path.realpath(path), data))
        while written:
            os.replace(*written[0])
            del written[0]
        for path in streams:
            _pour(path, files[path])
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", str(path)) from None
    finally:
        for name, _ in written:
            os.unlink(name)


def _beside(place: str, data: bytes | Iterable[bytes]) -> tuple[str, str]:
    """Write a new file beside ``place``, with its permissions; the names of both."""
    if os.path.isdir(place):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    handle, name = tempfile.mkstemp(prefix=prefix(hidden=True), dir=os.path.dirname(place))
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.writelines(_parts(data))
        os.chmod(name, _mode(place))
    except BaseException:
        os.unlink(name)
        raise
    return name, place


def _mode(place: str) -> int:
    """Permissions of a file that is replaced, or those that a new one gets."""
    if os.path.exists(place):
        return stat.S_IMODE(os.stat(place).st_mode)
    return 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _is_stream(path: Path) -> bool:
    """Whether bytes go into what is there, instead of a file that takes its place."""
    try:
        there = os.stat(path)
    except OSError:
        return False  # nothing there, or a loop of links, which writing will tell
    if stat.S_ISREG(there.st_mode):
        return _is_open_file(os.fspath(path)) or _own_stream(there) is not None
    return not stat.S_ISDIR(there.st_mode)


def _is_open_file(path: str) -> bool:
    """Whether a path leads through a process's table of open files, as /dev/stdout does."""
    while os.path.islink(path):
        folder = os.path.dirname(os.path.abspath(path))
        if os.path.realpath(folder).startswith("/proc/"):
            return True
        path = os.path.join(folder, os.readlink(path))
    return False


def _own_stream(there: os.stat_result) -> BinaryIO | None:
    """Which of this program's own streams leads to the very same file."""
    for stream in (sys.stdout, sys.stderr):
        try:
            ours = os.fstat(stream.fileno())
        except (OSError, ValueError, AttributeError):
            continue  # closed, or no stream of the system
        if os.path.samestat(there, ours):
            return stream.buffer
    return None


def _parts(data: bytes | Iterable[bytes]) -> Iterable[bytes]:
    return (data,) if isinstance(data, bytes) else data


def _pour(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write into a device, a pipe, or one of this program's own streams."""
    own = _own_stream(os.stat(path))
    if own is None:
        with open(path, "wb") as stream:
            stream.writelines(_parts(data))
        return
    for text in (sys.stdout, sys.stderr):
        text.flush()
    own.writelines(_parts(data))
    own.flush()
