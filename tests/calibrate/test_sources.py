# SPDX-License-Identifier: Apache-2.0
"""The same samples from every source, and whatever is wrong with files is named."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from asked_samples import asked, problems_of

from mcuplan.calibrate import Reading, Windows, parse_preprocess, read_data
from mcuplan.errors import (
    BadSample,
    DataError,
    MissingInput,
    UsageError,
)
from mcuplan.facts import ClassesRead, TakenAsIs
from mcuplan.ir.graph import Port
from mcuplan.ir.types import DType

F32 = DType.FLOAT32
IMAGE = Port("image", "image:0", (1, 4, 6, 3), F32)
PLANES = Port("image", "image:0", (1, 3, 4, 6), F32)
SERIES = Port("x", "x", (1, 8, 3), F32)


# -- folders of .npy --------------------------------------------------------------------------


def test_a_file_for_each_input(tmp_path: Path) -> None:
    """Files named as inputs hold all samples; labels stand beside them; others are left."""
    samples = np.random.default_rng(0).normal(size=(7, 4, 6, 3))
    np.save(tmp_path / "image_0.npy", samples)
    np.save(tmp_path / "labels.npy", np.arange(7))
    data = read_data(tmp_path, [IMAGE])
    assert np.array_equal(samples.astype(np.float32), data.inputs["image:0"])
    assert data.labels is not None
    assert list(range(7)) == data.labels.tolist()


def test_a_file_for_each_sample(tmp_path: Path) -> None:
    """In the order of their names, with or without the batch axis; folders are classes."""
    samples = np.random.default_rng(0).normal(size=(4, 4, 6, 3)).astype(np.float32)
    for k, name in enumerate(("cat/a", "cat/b", "dog/a", "dog/b")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        np.save(tmp_path / f"{name}.npy", samples[k : k + 1] if k % 2 else samples[k])
    data = read_data(tmp_path, [IMAGE])
    assert np.array_equal(samples, data.inputs["image:0"])
    assert data.labels is not None
    assert [0, 0, 1, 1] == data.labels.tolist()


def test_a_folder_for_each_of_several_inputs(tmp_path: Path) -> None:
    """A file for each sample in a folder named as the input; as many in each."""
    for name, width in (("a", 2), ("b", 3)):
        (tmp_path / name).mkdir()
        for k in range(3):
            np.save(tmp_path / name / f"{k}.npy", np.full(width, k, np.float32))
    ports = [Port("a", "a", (1, 2), F32), Port("b", "b", (1, 3), F32)]
    data = read_data(tmp_path, ports)
    assert (3, [[0, 0], [1, 1], [2, 2]]) == (data.samples, data.inputs["a"].tolist())
    (tmp_path / "b" / "2.npy").unlink()
    with pytest.raises(DataError, match="samples per input"):
        read_data(tmp_path, ports)
    with pytest.raises(MissingInput, match="no file c"):
        read_data(tmp_path, [*ports, Port("c", "c", (1, 3), F32)])


def test_every_bad_npy_is_named(tmp_path: Path) -> None:
    """Damaged, of another shape or type, with NaN, or a claim of 2**40 elements: all at once."""
    for k in range(3):
        np.save(tmp_path / f"good{k}.npy", np.zeros((4, 6, 3), np.float32))
    (tmp_path / "a.npy").write_bytes(b"no array")
    np.save(tmp_path / "b.npy", np.zeros((4, 6, 2), np.float32))
    np.save(tmp_path / "c.npy", np.zeros((4, 6, 3), np.int32))
    np.save(tmp_path / "d.npy", np.full((4, 6, 3), np.nan, np.float32))
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }\n"
    (tmp_path / "e.npy").write_bytes(
        b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(100)
    )
    np.save(tmp_path / "f.npy", np.array([{}], dtype=object))
    found = problems_of(lambda: read_data(tmp_path, [IMAGE]))
    assert [f"{name}.npy" for name in "abcdef"] == [Path(e.where).name for e in found]
    assert {"data/bad-sample", "data/bad-array"} >= {error.code for error in found}


# -- tables -----------------------------------------------------------------------------------


def _table(path: Path, rows: np.ndarray, *, header: str = "", sign: str = ",") -> Path:
    lines = [sign.join(f"{value:.9g}" for value in row) for row in rows]
    path.write_text("\n".join(([header] if header else []) + lines) + "\n")
    return path


@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("shape", [(1, 8, 3), (1, 3, 8), (1, 1, 8, 3), (24,), (1, 3, 1, 8)])
def test_windows_of_a_table(tmp_path: Path, shape: tuple[int, ...], sign: str) -> None:
    """Rows become time and columns channels, in the order in which the input has both."""
    rows = np.random.default_rng(2).normal(size=(30, 3)).astype(np.float32)
    path = _table(tmp_path / "a.csv", rows, header=sign.join("abc"), sign=sign)
    reading = Reading(windows=Windows(8, 5))
    data = read_data(path, [Port("x", "x", shape, F32)], reading)
    expected = np.stack([rows[start : start + 8] for start in range(0, 23, 5)])
    if tuple(n for n in shape if n != 1) == (3, 8):
        expected = expected.transpose(0, 2, 1)
    assert np.array_equal(expected.reshape(5, -1), data.inputs["x"].reshape(5, -1))


def test_columns_and_scales_of_a_table(tmp_path: Path) -> None:
    """Columns by name or number, in the order asked for; mean and scale one for each."""
    rows = np.arange(80, dtype=np.float32).reshape(16, 5)
    path = _table(tmp_path / "a.csv", rows, header="time,ax,ay,az,note")
    reading = Reading(Windows(columns=("az", "2", "ay")), parse_preprocess("mean=1:2:3,scale=1/2"))
    data = read_data(path, [SERIES], reading)
    expected = (rows[:, [3, 1, 2]] - np.array([1, 2, 3])) / 2
    assert np.array_equal(expected.reshape(2, 8, 3), data.inputs["x"])
    with pytest.raises(BadSample, match="no column 'aw'"):
        read_data(path, [SERIES], Reading(Windows(columns=("aw",))))


@pytest.mark.parametrize("how", ["scale=1e300", "mean=1e308,scale=1e308"])
def test_values_beyond_float32_are_refused(tmp_path: Path, how: str) -> None:
    """Of what float64 holds and of what it does not."""
    path = _table(tmp_path / "a.csv", np.ones((16, 3), np.float32))
    with pytest.raises(DataError, match="beyond float32"):
        read_data(path, [SERIES], Reading(preprocess=parse_preprocess(how)))


def test_no_window_goes_from_one_file_to_the_next(tmp_path: Path) -> None:
    """Each recording has its windows; folders that are numbers are labels."""
    for name, length in (("3/a", 17), ("3/b", 7), ("10/a", 9)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        _table(tmp_path / f"{name}.csv", np.full((length, 3), length, np.float32))
    data = read_data(tmp_path, [SERIES])
    assert data.labels is not None
    assert sorted([3, 3, 10]) == sorted(data.labels.tolist())
    assert {17.0, 9.0} == set(np.unique(data.inputs["x"]).tolist())
    assert ClassesRead(tmp_path.name, ((10, "10"), (3, "3"))) in data.notes


def test_every_bad_row_is_named(tmp_path: Path) -> None:
    """Text, too few cells, NaN: by line, in all files."""
    rows = np.ones((16, 3), np.float32)
    lines = _table(tmp_path / "a.csv", rows).read_text().splitlines()
    lines[2], lines[5], lines[12] = "1,x,2", "1,2", "1,nan,1"
    (tmp_path / "a.csv").write_text("\n".join(lines))
    found = problems_of(lambda: read_data(tmp_path / "a.csv", [SERIES]))
    said = [error.message.split(":")[0] for error in found]
    assert ["line 3", "line 6", "line 13"] == said
    assert {"data/bad-sample"} == {error.code for error in found}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "make no window"),
        (b"1,2,3\n" * 7, "make no window"),
        (b"1,2\n" * 30, "no axes"),
        (b"1," * (1 << 20), "longer"),
        (b"\xff\xfe\x00" * 50, "not a readable table"),
    ],
)
def test_what_is_no_table_of_the_input(tmp_path: Path, content: bytes, said: str) -> None:
    """Coded errors for what is empty, short, of other columns, without lines, or no text."""
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises((DataError, UsageError), match=said):
        read_data(tmp_path / "a.csv", [SERIES])


def test_time_and_channels_that_look_alike_are_not_guessed(tmp_path: Path) -> None:
    """Of a square input nothing says which axis is time."""
    path = _table(tmp_path / "a.csv", np.zeros((9, 3), np.float32))
    with pytest.raises(UsageError, match="is not to be seen"):
        read_data(path, [Port("x", "x", (1, 3, 3), F32)])


# -- folders ----------------------------------------------------------------------------------


def test_folders_that_are_no_source(tmp_path: Path) -> None:
    """Empty ones, several kinds, and files beside folders of files are refused."""
    with pytest.raises(UsageError, match=r"without \.npy"):
        read_data(tmp_path, [SERIES])
    rows = np.zeros((8, 3), np.float32)
    _table(tmp_path / "a.csv", rows)
    (tmp_path / "one").mkdir()
    _table(tmp_path / "one" / "b.csv", rows)
    with pytest.raises(DataError, match="files both"):
        read_data(tmp_path, [SERIES])
    np.save(tmp_path / "a.npy", rows)
    with pytest.raises(DataError, match="several kinds"):
        read_data(tmp_path, [SERIES])


def test_arrays_are_taken_as_they_are(tmp_path: Path) -> None:
    """What is said of tables and images does not change arrays, and that is told."""
    np.savez(tmp_path / "d.npz", x=np.zeros((2, 8, 3), np.float32))
    assert (TakenAsIs("d.npz"),) == read_data(tmp_path / "d.npz", [SERIES], asked("mean=3")).notes


def test_progress_counts_every_sample(tmp_path: Path) -> None:
    """Whoever shows it is told of each sample, and of the end."""
    for k in range(9):
        np.save(tmp_path / f"{k}.npy", np.zeros((8, 3), np.float32))
    told: list[object] = []

    @contextmanager
    def bar(label: str, parts: int):  # type: ignore[no-untyped-def]
        told.append((label, parts))
        yield told.append
        told.append("end")

    read_data(tmp_path, [SERIES], bar=bar)
    assert [(f"reading {tmp_path.name}", 9), *[1] * 9, "end"] == told
