# SPDX-License-Identifier: Apache-2.0
"""Files of a folder in order, with the classes that its folders are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcuplan.calibrate.npz import MAX_BYTES, release, room
from mcuplan.errors import DataError, McuplanError, Problems
from mcuplan.ir.graph import Port
from mcuplan.ir.types import Array
from mcuplan.progress import Bar
from mcuplan.units import format_bytes

__all__ = ["MOST_FILES", "Listing", "filled", "is_sample", "list_folder"]

MOST_FILES = 1 << 18
"""Of a folder of samples."""

_MOST_ERRORS = 40  # files that are named
_RELEASED = 64  # samples that stay in memory


@dataclass(frozen=True, slots=True)
class Listing:
    """Files in order, their labels, and what each label is called; none without folders."""

    files: tuple[Path, ...]
    labels: tuple[int, ...] = ()
    classes: tuple[tuple[int, str], ...] = ()

    def labels_of(self, counts: Sequence[int] | None = None) -> Array | None:
        """Labels of all samples, where each file gives one, or so many."""
        if not self.labels:
            return None
        labels = np.array(self.labels, np.int64)
        return labels if counts is None else np.repeat(labels, counts)


def list_folder(folder: Path, suffixes: Sequence[str]) -> Listing:
    """Files with one of some suffixes, in the folder or in folders of classes.

    Classes are numbered by their names in order; names that are all numbers are the labels.

    Raises:
        DataError: there are none, too many, or both files and folders of them.
    """
    here, below = _files(folder, suffixes), dict[str, list[Path]]()
    for name in sorted(entry.name for entry in os.scandir(folder) if entry.is_dir()):
        found = _files(folder / name, suffixes)
        if found:
            below[name] = found
    many = len(here) + sum(map(len, below.values()))
    if not 0 < many <= MOST_FILES or (here and below):
        what = f"{many:,} files ({', '.join(suffixes)})" if not (here and below) else "files both"
        more = " in the folder and in folders of it" if here and below else ""
        hint = "all files in the folder, or all in a folder for each class"
        raise DataError(f"{what}{more}", str(folder), hint)
    if here:
        return Listing(tuple(here))
    numbers = all(name.isascii() and name.isdigit() and len(name) < 10 for name in below)
    label = {name: int(name) if numbers else k for k, name in enumerate(below)}
    pairs = [(path, label[name]) for name, paths in below.items() for path in paths]
    files, labels = zip(*pairs, strict=True)
    return Listing(files, labels, tuple((k, name) for name, k in label.items()))


def _files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    return sorted(Path(entry) for entry in os.scandir(folder) if is_sample(entry, suffixes))


def is_sample(entry: os.DirEntry[str], suffixes: Sequence[str]) -> bool:
    """Whether it is a file with one of some suffixes, and not hidden."""
    name = entry.name
    return name.lower().endswith(tuple(suffixes)) and name[0] != "." and entry.is_file()


def filled(
    port: Port,
    shape: tuple[int, ...],
    count: int,
    samples: Callable[[], Iterator[Array | McuplanError]],
    where: Path,
    bar: Bar,
) -> Array:
    """Samples of an input one by one, in as little memory as :func:`~mcuplan.calibrate.npz.room`.

    Args:
        port: the input.
        shape: of one sample.
        count: how many there are.
        samples: gives each, or why there is none.
        where: the file or folder.
        bar: shows how far it is.

    Raises:
        DataError, Problems: there are too many bytes, or samples that cannot be read: all named.
    """
    dtype = port.dtype.numpy if port.on_grid or port.whole else np.dtype(np.float32)
    nbytes = count * int(np.prod(shape)) * dtype.itemsize
    if nbytes > MAX_BYTES:
        what = f"{count:,} samples of input {port.name!r} are {format_bytes(nbytes)}"
        hint = "fewer samples are enough: a few hundred for calibration"
        raise DataError(what, str(where), hint)
    made = room((count, *shape), dtype)
    errors: list[McuplanError] = []
    with bar(f"reading {where.name}", count) as tick:
        for k, sample in enumerate(samples()):
            tick(1)
            if isinstance(sample, McuplanError):
                errors.append(sample)
            elif not errors:
                made[k] = sample
            if len(errors) == _MOST_ERRORS:
                errors.append(DataError("what comes after these was not looked at", str(where)))
                break
            if k % _RELEASED == 0:
                release(made)
    Problems.raise_if_any(errors)
    release(made)
    return made
