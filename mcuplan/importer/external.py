# SPDX-License-Identifier: Apache-2.0
"""Files beside a model file that hold its tensors."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from mcuplan.errors import ExternalDataError, McuplanError
from mcuplan.importer.protofile import inside, read_model, text

__all__ = ["external_files", "external_places"]

_KEY = "location"


def external_places(proto: Any) -> tuple[str, ...]:
    """Places that tensors of a model name, sorted: initializers, attributes, bodies, functions.

    Raises:
        DamagedModel: one of them is no text.
    """
    found = {
        text(entry.value)
        for tensor in _tensors(proto)
        for entry in tensor.external_data
        if text(entry.key) == _KEY
    }
    return tuple(sorted(found))


def external_files(path: Path) -> Iterator[tuple[str, Path | ExternalDataError]]:
    """Places that a model's file names, with the file of each or why there is none.

    A model that cannot be read has none.

    Raises:
        OSError: the file cannot be read.
    """
    if not _mentions(path, _KEY.encode()):  # most models: not worth reading them
        return
    places: tuple[str, ...] = ()
    with suppress(McuplanError):
        places = external_places(read_model(path).proto)
    for place in places:
        try:
            yield place, inside(path.parent.resolve(), place)
        except ExternalDataError as error:
            yield place, error


def _mentions(path: Path, word: bytes) -> bool:
    with path.open("rb") as stream:
        if not stream.seek(0, 2):
            return False
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return data.find(word) >= 0


def _tensors(message: Any) -> Iterator[Any]:
    """Every tensor in a message, in whatever field."""
    if message.DESCRIPTOR.name == "TensorProto":
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in (value,) if hasattr(value, "ListFields") else value:
                yield from _tensors(each)
