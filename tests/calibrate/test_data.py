# SPDX-License-Identifier: Apache-2.0
"""Data files: what fits is read, everything else is named and refused."""

from __future__ import annotations

import errno
import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mcuplan.calibrate import npz, random_data, read_data
from mcuplan.errors import DataError, McuplanError, MissingInput, Problems, UsageError
from mcuplan.facts import ArraysIgnored
from mcuplan.ir.graph import Port
from mcuplan.ir.types import DType

IMAGE = Port("image", "image:0", (1, 4, 3), DType.FLOAT32)
CODES = Port("codes", "codes", (1, 5), DType.UINT8)


def _good(samples: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "image:0": rng.standard_normal((samples, 4, 3)).astype(np.float32),
        "codes": rng.integers(0, 255, (samples, 5), np.uint8),
    }


def _save(path: Path, **arrays: object) -> Path:
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return path


def test_arrays_come_back_by_input_name(tmp_path: Path) -> None:
    """Inputs, labels, groups and reference are read; the rest is ignored with a note."""
    good = _good()
    extra = {
        "labels": np.arange(2),
        "groups": np.array([0, 0, 0, 1, 1, 1]),
        "reference": np.zeros((6, 2)),
        "mean": np.zeros(3),
    }
    data = read_data(_save(tmp_path / "d.npz", **good, **extra), [IMAGE, CODES])
    assert 6 == data.samples
    assert (good["image:0"] == data.inputs["image:0"]).all()
    assert data.inputs["codes"].dtype == np.uint8
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1]
    assert data.groups is not None
    assert data.reference is not None
    assert (ArraysIgnored("d.npz", ("mean",)),) == data.notes
    assert data.feeds([IMAGE, CODES], 2)["image:0"].shape == (1, 4, 3)


def test_other_floats_and_a_kept_batch_axis_are_taken(tmp_path: Path) -> None:
    """float64 in Fortran order with a batch axis of 1 is converted, not refused."""
    image = np.asfortranarray(np.random.default_rng(0).standard_normal((3, 1, 4, 3)))
    data = read_data(_save(tmp_path / "d.npz", **{"image:0": image}), [IMAGE])
    assert data.inputs["image:0"].dtype == np.float32
    assert (image.astype(np.float32)[:, 0] == data.inputs["image:0"]).all()


BAD = {
    "shape": {"image:0": np.zeros((6, 3, 4), np.float32)},
    "dtype": {"image:0": np.zeros((6, 4, 3), np.uint8)},
    "nan": {"image:0": np.full((6, 4, 3), np.nan, np.float32)},
    "too large for float32": {"image:0": np.full((6, 4, 3), 1e300)},
    "empty": {"image:0": np.zeros((0, 4, 3), np.float32), "codes": np.zeros((0, 5), np.uint8)},
    "counts": {"codes": np.zeros((5, 5), np.uint8)},
    "integers": {"codes": np.zeros((6, 5), np.int8)},
    "scalar": {"codes": np.zeros((), np.uint8)},
    "text": {"codes": np.array(["a"] * 6)},
    "labels": {"labels": np.zeros(5, int)},
    "label text": {"labels": np.array(["cat"] * 6)},
    "groups": {"groups": np.zeros(5, int)},
    "negative group": {"groups": np.array([-1, 0, 0, 0, 0, 0])},
    "reference": {"reference": np.zeros((5, 2))},
    "reference nan": {"reference": np.full((6, 2), np.inf)},
    "labels per group": {"groups": np.zeros(6, int), "labels": np.zeros(6, int)},
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_what_does_not_fit_is_refused(tmp_path: Path, change: dict[str, np.ndarray]) -> None:
    """Every misfit is a DataError that names the file and hints at what fits."""
    path = _save(tmp_path / "d.npz", **{**_good(), **change})
    with pytest.raises(DataError) as caught:
        read_data(path, [IMAGE, CODES])
    assert 2 == caught.value.exit_status
    assert str(path) in str(caught.value)
    assert caught.value.hint


def test_all_misfits_are_named_at_once(tmp_path: Path) -> None:
    """A wrong shape and a missing input are two errors of one run."""
    path = _save(tmp_path / "d.npz", **{"image:0": np.zeros((2, 9), np.float32)})
    with pytest.raises(Problems) as caught:
        read_data(path, [IMAGE, CODES])
    assert {type(error) for error in caught.value.errors} == {DataError, MissingInput}
    assert "'codes'" in str(caught.value)


def _zip(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def _header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


HUGE = "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 4, 3), }\n"
NEGATIVE = "{'descr': '<f4', 'fortran_order': False, 'shape': (-6, 4, 3), }\n"
SHORT = "{'descr': '<f4', 'fortran_order': False, 'shape': (6, 4, 3), }\n"
HOSTILE = {
    "not a zip": b"hello",
    "nothing": b"",
    "npy": _npy(np.zeros((6, 4, 3), np.float32)),
}
HOSTILE_MEMBERS = {
    "huge": _header(HUGE) + b"\0" * 16,
    "negative": _header(NEGATIVE) + b"\0" * 16,
    "short": _header(SHORT) + b"\0" * 16,
    "pickle": _npy(np.array([{}, []], dtype=object)),
    "no header": b"abc",
    "version": b"\x93NUMPY\x09\x00" + b"\0" * 64,
    "header is code": _header("__import__('os').system('true')\n"),
    "header is long": _header("(" * 20000),
    "header is open": _header("(" * 9000),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_file_that_is_no_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever the bytes are: a DataError."""
    (tmp_path / "d.npz").write_bytes(content)
    with pytest.raises(DataError):
        read_data(tmp_path / "d.npz", [IMAGE])


@pytest.mark.parametrize("content", HOSTILE_MEMBERS.values(), ids=HOSTILE_MEMBERS.keys())
def test_a_hostile_member_is_refused(tmp_path: Path, content: bytes) -> None:
    """Headers that lie, pickles and code are refused without being believed."""
    with pytest.raises(McuplanError) as caught:
        read_data(_zip(tmp_path / "d.npz", [("image:0.npy", content)]), [IMAGE])
    assert 2 == caught.value.exit_status


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    """A flipped byte in the data is found, wherever it lies."""
    path = _save(tmp_path / "d.npz", **_good(200))
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_data(path, [IMAGE, CODES])


def test_two_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    """A member that hides another one is not guessed at."""
    one = ("image:0.npy", _npy(np.zeros((6, 4, 3), np.float32)))
    with pytest.warns(UserWarning, match="Duplicate"):
        path = _zip(tmp_path / "d.npz", [one, one])
    with pytest.raises(DataError):
        read_data(path, [IMAGE])


def test_sizes_are_checked_before_data_is_read(tmp_path: Path) -> None:
    """More bytes than allowed: refused by the header, ignored arrays do not count."""
    path = _save(tmp_path / "d.npz", **_good(), more=np.zeros(100_000))
    assert 6 == read_data(path, [IMAGE, CODES], max_bytes=1000).samples
    with pytest.raises(DataError, match="too large"):
        read_data(path, [IMAGE, CODES], max_bytes=100)


def test_a_path_that_does_not_exist_is_wrong_usage(tmp_path: Path) -> None:
    """No file, or a folder: UsageError."""
    for path in (tmp_path / "none.npz", tmp_path):
        with pytest.raises(UsageError):
            read_data(path, [IMAGE])


def test_random_data_is_repeatable_and_marked() -> None:
    """The same seed gives the same samples, and it says that they are random."""
    first, second = random_data([IMAGE, CODES], 4), random_data([IMAGE, CODES], 4)
    assert first.random
    for name in ("image:0", "codes"):
        assert (first.inputs[name] == second.inputs[name]).all()
    assert (random_data([IMAGE], 4, seed=1).inputs["image:0"] != first.inputs["image:0"]).any()


def test_random_data_of_a_huge_input_is_one_sample() -> None:
    """Random samples take no more memory than they must."""
    huge = Port("huge", "huge", (1, 40_000_000), DType.INT8)
    assert 1 == random_data([huge]).samples


def test_no_room_for_large_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is an error with a way out before anything is written to the map."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = _save(tmp_path / "data.npz", **_good(200))
    monkeypatch.setattr(npz, "_IN_MEMORY", 1000)
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(DataError, match="no room for") as caught:
        read_data(path, [IMAGE, CODES])
    assert "TMPDIR" in caught.value.hint


def test_a_scalar_is_fed_as_an_array(tmp_path: Path) -> None:
    """A runtime refuses what numpy makes of one element."""
    port = Port("index", "index", (), DType.INT32, whole=True)
    data = read_data(_save(tmp_path / "d.npz", index=np.arange(4, dtype=np.int32)), [port])
    assert isinstance(data.feeds([port], 3)["index"], np.ndarray)
    assert data.feeds([port], 3)["index"] == 3
