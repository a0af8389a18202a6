# SPDX-License-Identifier: Apache-2.0
"""Files that evidence is made of, copied as they are: model, data, target."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from mcuplan.calibrate.sources import sample_files
from mcuplan.errors import InputTooLarge, UsageError
from mcuplan.evidence.asked import place_of
from mcuplan.importer.listing import Listing

__all__ = ["MODEL_FOLDER", "copied_data", "copied_model"]

MODEL_FOLDER = PurePosixPath("model")
MOST_BYTES = 1 << 29  # of all copied files together
_HINT = "give fewer samples: what evidence is made of is copied into the folder"


def copied_model(model: Path, listing: Listing) -> Mapping[PurePosixPath, bytes]:
    """The model file, and those beside it that hold its tensors."""
    found = {MODEL_FOLDER / model.name: _read(model)}
    for part in listing.files:
        found[MODEL_FOLDER / part] = _read(model.parent / part)
    return _limited(found)


def copied_data(files: Mapping[str, Path]) -> Mapping[PurePosixPath, bytes]:
    """Files and folders that options name, below ``data/``.

    Raises:
        UsageError: one cannot be read.
        InputTooLarge: they are too many bytes to be kept.
    """
    found: dict[PurePosixPath, bytes] = {}
    for option, path in sorted(files.items()):
        place = place_of(option, path.name)
        if path.is_dir():
            for part in _samples(path):
                found[place / PurePosixPath(*part.relative_to(path).parts)] = _read(part)
                _limited(found)
        else:
            found[place] = _read(path)
    return _limited(found)


def _samples(folder: Path) -> tuple[Path, ...]:
    try:
        return sample_files(folder)
    except OSError as error:
        raise _unreadable(folder, error) from error


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputTooLarge(f"has more than {MOST_BYTES:,} bytes", path.name, _HINT)
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot be read: {error.strerror}", str(path), "check it")


def _limited(files: Mapping[PurePosixPath, bytes]) -> Mapping[PurePosixPath, bytes]:
    total = sum(map(len, files.values()))
    if total > MOST_BYTES:
        raise InputTooLarge(f"{total:,} bytes of data, at most {MOST_BYTES:,}", "", _HINT)
    return files
