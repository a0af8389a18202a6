# SPDX-License-Identifier: Apache-2.0
"""Where samples come from: an ``.npz`` file, a folder of ``.npy``, tables, images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mcuplan.calibrate.arrays import read_npz
from mcuplan.calibrate.data import Data
from mcuplan.calibrate.images import IMAGES, read_images
from mcuplan.calibrate.listing import MOST_FILES, is_sample
from mcuplan.calibrate.npy_folder import read_npy_folder
from mcuplan.calibrate.npz import MAX_BYTES
from mcuplan.calibrate.reading import Reading
from mcuplan.calibrate.windows import CSV, read_windows
from mcuplan.errors import DataError, UsageError
from mcuplan.facts import TakenAsIs
from mcuplan.ir.graph import Port
from mcuplan.progress import Bar, no_bar

__all__ = ["read_data", "sample_files"]

_NPY = (".npy",)
_SUFFIXES = (*_NPY, *CSV, *IMAGES)
_DEPTH = 2  # folders below one that is given: of inputs, and of classes
_PLAIN = Reading()


def read_data(
    path: Path,
    ports: Sequence[Port],
    reading: Reading = _PLAIN,
    *,
    bar: Bar = no_bar,
    max_bytes: int = MAX_BYTES,
) -> Data:
    """Read and check samples; sizes are checked before memory is taken.

    Args:
        path: an ``.npz`` file; a folder of ``.npy`` files; a table, an image, or a folder of
            either, perhaps with a folder for each class.
        ports: inputs of the model.
        reading: how tables and images become samples.
        bar: shows how far it is.
        max_bytes: largest sum of the arrays.

    Raises:
        UsageError: there is no such file, or more must be said of it.
        DataError, Problems: it does not fit the model; every mismatch is named.
        ToolMissing: what reads images is not installed.
    """
    kind = _kind(path)
    if kind in CSV:
        return read_windows(path, ports, reading, bar)
    if kind in IMAGES:
        return read_images(path, ports, reading.preprocess, bar)
    if kind in _NPY:
        data = read_npy_folder(path, ports, max_bytes, bar)
    else:
        data = read_npz(path, ports, max_bytes)
    if reading == _PLAIN:
        return data
    return replace(data, notes=(*data.notes, TakenAsIs(path.name)))


def _kind(path: Path) -> str:
    """The suffix that says what a file, or the files of a folder, are; "" for an ``.npz`` file.

    Raises:
        UsageError: a folder has none of them, or cannot be read.
        DataError: it has several kinds.
    """
    if not os.path.isdir(path):
        suffix = path.suffix.lower() if os.path.isfile(path) else ""
        return suffix if suffix in (*CSV, *IMAGES) else ""
    try:
        names = [file.name.lower() for file in sample_files(path)]
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", str(path)) from None
    kinds = (_NPY, CSV, IMAGES)
    found = [kind for kind in kinds if any(name.endswith(kind) for name in names)]
    if not found:
        what = "a folder without .npy, .csv, .png or .jpg files is no data"
        raise UsageError(what, str(path), "give an .npz file, or a folder of samples")
    if len(found) > 1:
        hint = "one kind, in the folder or in a folder for each class"
        raise DataError("files of several kinds", str(path), hint)
    return found[0][0]


def sample_files(path: Path) -> tuple[Path, ...]:
    """Every file that samples are read from, in order: ``path``, or those that a folder has.

    As far down as reading goes: folders of inputs, and in them of classes; links are followed.

    Raises:
        OSError: a folder cannot be read.
        DataError: it has more files than are read.
    """
    if not os.path.isdir(path):
        return (path,)
    found: list[Path] = []
    for file in _below(path, _DEPTH):
        found.append(file)
        if len(found) > MOST_FILES:
            raise DataError(
                f"more than {MOST_FILES:,} files", str(path), "a few hundred are enough"
            )
    return tuple(sorted(found))


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """Files of samples in a folder, and in folders of it down to some depth."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if depth and entry.is_dir():
                yield from _below(Path(entry.path), depth - 1)
            elif is_sample(entry, _SUFFIXES):
                yield Path(entry.path)
