# SPDX-License-Identifier: Apache-2.0
"""A folder of ``.npy`` files: one for each input, or one for each sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from mcuplan.calibrate.arrays import Wanted, data_of, fits_type, kept
from mcuplan.calibrate.data import EXTRAS, Data, sample_shape
from mcuplan.calibrate.listing import Listing, filled, list_folder
from mcuplan.calibrate.npz import BROKEN, Header, left_after, read_body, read_header
from mcuplan.errors import BadSample, DataError, McuplanError, MissingInput, Problems
from mcuplan.ir.graph import Port
from mcuplan.ir.types import Array
from mcuplan.progress import Bar

__all__ = ["read_npy_folder"]

_SUFFIX = ".npy"
_HINT = "numpy.save(FILE, sample): one sample of the input, in its shape and type"


def read_npy_folder(folder: Path, ports: Sequence[Port], max_bytes: int, bar: Bar) -> Data:
    """Samples of a folder of ``.npy`` files.

    Either there is a file named as each input, with all of its samples (and perhaps those of
    ``EXTRAS``), or each file is one sample: in folders of classes, or, of a model with several
    inputs, in a folder named as each input.

    Raises:
        DataError, Problems: files do not fit the model; each is named.
    """
    whole = {port.name: folder / f"{_file_name(port.name)}{_SUFFIX}" for port in ports}
    if all(path.is_file() for path in whole.values()):
        extras = {key: folder / f"{key}{_SUFFIX}" for key in EXTRAS}
        files = whole | {key: path for key, path in extras.items() if path.is_file()}
        return data_of(folder, ports, lambda wanted: _arrays(files, wanted, max_bytes))
    if len(ports) == 1:
        listing = list_folder(folder, [_SUFFIX])
        inputs = {ports[0].name: _samples(ports[0], listing, folder, bar)}
        labels = listing.labels_of()
        return Data(MappingProxyType(inputs), len(listing.files), labels)
    return _by_input(folder, ports, bar)


def _file_name(name: str) -> str:
    """The name of an input as that of a file."""
    return name.replace("/", "_").replace(":", "_").replace("\\", "_").replace("\0", "_")


def _by_input(folder: Path, ports: Sequence[Port], bar: Bar) -> Data:
    places = {port.name: folder / _file_name(port.name) for port in ports}
    missing = [
        MissingInput(
            f"no file {_file_name(name)}{_SUFFIX} and no folder {_file_name(name)}",
            str(folder),
            "a file of all samples for each input, or a folder of one file for each sample",
        )
        for name, place in places.items()
        if not place.is_dir()
    ]
    Problems.raise_if_any(missing)
    listings = {name: list_folder(place, [_SUFFIX]) for name, place in places.items()}
    counts = {name: len(listing.files) for name, listing in listings.items()}
    if len(set(counts.values())) != 1:
        raise DataError(f"samples per input: {counts}", str(folder), "give each input as many")
    inputs = {p.name: _samples(p, listings[p.name], places[p.name], bar) for p in ports}
    return Data(MappingProxyType(inputs), next(iter(counts.values())))


def _arrays(
    files: Mapping[str, Path], wanted: Wanted, max_bytes: int
) -> tuple[Mapping[str, Array], tuple[Header, ...]]:
    """As :func:`mcuplan.calibrate.npz.read_arrays`, of files by name."""
    found, others, left = dict[str, Array](), list[Header](), max_bytes
    for name, path in files.items():
        try:
            with path.open("rb") as stream:
                header = read_header(name, stream)
                if not wanted(header):
                    others.append(header)
                    continue
                left = left_after(header, left, path)
                found[name] = read_body(header, stream)
        except BROKEN as error:
            raise BadSample(f"not a readable .npy file: {error}", str(path), _HINT) from None
    return found, tuple(others)


def _samples(port: Port, listing: Listing, folder: Path, bar: Bar) -> Array:
    """One sample a file, in the order of their names."""

    def read() -> Iterator[Array | McuplanError]:
        for path in listing.files:
            try:
                yield _sample(path, port)
            except McuplanError as error:
                yield error

    return filled(port, sample_shape(port), len(listing.files), read, folder, bar)


def _sample(path: Path, port: Port) -> Array:
    """The sample of a file; its size is that of the input before it is read."""
    shapes = (sample_shape(port), port.shape)
    try:
        with path.open("rb") as stream:
            header = read_header(port.name, stream)
            if header.shape not in shapes or not fits_type(header.dtype, port):
                raise BadSample(
                    f"{header.dtype} {list(header.shape)}, expected {port.dtype.value} "
                    f"{list(shapes[0])} as input {port.name!r}",
                    str(path),
                    _HINT,
                )
            array = read_body(header, stream)
    except BROKEN as error:
        raise BadSample(f"not a readable .npy file: {error}", str(path), _HINT) from None
    sample: Array = kept(array.reshape((1, *shapes[0])), port, path)[0]
    return sample
