# SPDX-License-Identifier: Apache-2.0
"""Images become the pixels that an input takes, whatever the files hold."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from asked_samples import asked, problems_of

from mcuplan.calibrate import Preprocess, parse_preprocess, read_data
from mcuplan.errors import BadSample, ToolMissing, UsageError
from mcuplan.facts import ClassesRead
from mcuplan.ir.graph import Port
from mcuplan.ir.types import DType

F32 = DType.FLOAT32
IMAGE = Port("image", "image:0", (1, 4, 6, 3), F32)
PLANES = Port("image", "image:0", (1, 3, 4, 6), F32)


def _pixels(count: int = 5) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 4, 6, 3)).astype(np.uint8)


def _png(path: Path, pixels: np.ndarray) -> Path:
    pillow = pytest.importorskip("PIL.Image")
    path.parent.mkdir(parents=True, exist_ok=True)
    pillow.fromarray(pixels).save(path)
    return path


def test_images_are_those_of_an_array(tmp_path: Path) -> None:
    """PNG files in folders of classes give pixels, labels and the names of the classes."""
    pixels = _pixels()
    for k, each in enumerate(pixels):
        _png(tmp_path / ("dog" if k > 2 else "cat") / f"{k}.png", each)
    data = read_data(tmp_path, [IMAGE], asked("mean=127.5:0:10,scale=1/127.5"))
    expected = (pixels - np.array([127.5, 0, 10])) / 127.5
    assert np.array_equal(expected.astype(np.float32), data.inputs["image:0"])
    assert data.labels is not None
    assert [0, 0, 0, 1, 1] == data.labels.tolist()
    assert (ClassesRead(tmp_path.name, ((0, "cat"), (1, "dog"))),) == data.notes


def test_layout_and_order_of_channels(tmp_path: Path) -> None:
    """Planes where the input has them; blue first where that is asked for; grey of colour."""
    pixels = _pixels(1)
    path = _png(tmp_path / "a.png", pixels[0])
    planes = read_data(path, [PLANES], asked("scale=1,order=bgr")).inputs["image:0"]
    assert np.array_equal(pixels[0, ..., ::-1].transpose(2, 0, 1), planes[0])
    grey = read_data(path, [Port("g", "g", (1, 4, 6, 1), F32)], asked("scale=1")).inputs["g"]
    weights = np.array([0.299, 0.587, 0.114])
    assert np.abs(pixels[0] @ weights - grey[0, ..., 0]).max() <= 1.0
    flat = Port("f", "f", (1, 24), F32)
    assert np.array_equal(
        grey.reshape(1, 24), read_data(path, [flat], asked("scale=1,size=6x4")).inputs["f"]
    )


def test_images_of_integer_inputs(tmp_path: Path) -> None:
    """Bytes as they are; int8 with a mean of 128, and nothing that does not fit."""
    pixels = _pixels(1)
    path = _png(tmp_path / "a.png", pixels[0])
    plain = Port("u", "u", (1, 4, 6, 3), DType.UINT8)
    assert np.array_equal(pixels, read_data(path, [plain]).inputs["u"])
    signed = Port("s", "s", (1, 4, 6, 3), DType.INT8)
    found = read_data(path, [signed], asked("mean=128")).inputs["s"]
    assert np.array_equal(pixels.astype(np.int16) - 128, found)
    with pytest.raises(BadSample, match="beyond int8"):
        read_data(path, [signed], asked("scale=1"))


@pytest.mark.parametrize(
    ("size", "shape"),
    [("6x4", (4, 6)), ("12x10", (4, 6)), ("8", (4, 6)), ("8", (8, 8))],
)
def test_sizes_are_cut_around_the_centre(tmp_path: Path, size: str, shape: tuple[int, int]) -> None:
    """An image of one colour keeps it; its centre stays the centre."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[10:30, 15:45] = 200
    path = _png(tmp_path / "a.png", pixels)
    port = Port("i", "i", (1, *shape, 3), F32)
    found = read_data(path, [port], asked(f"scale=1,size={size}")).inputs["i"][0]
    middle = found[shape[0] // 2 - 1 : shape[0] // 2 + 1, shape[1] // 2 - 1 : shape[1] // 2 + 1]
    assert middle.min() > 150
    assert np.array_equal(found, found[:, ::-1])


def test_how_pixels_become_values_is_not_guessed(tmp_path: Path) -> None:
    """Real inputs need a scale or a mean; shapes with two readings need a layout."""
    path = _png(tmp_path / "a.png", _pixels(1)[0])
    with pytest.raises(UsageError, match="is not said"):
        read_data(path, [IMAGE])
    both = Port("i", "i", (1, 3, 4, 3), F32)
    with pytest.raises(UsageError, match="two ways"):
        read_data(path, [both], asked("scale=1"))
    assert (1, 3, 4, 3) == read_data(path, [both], asked("scale=1,layout=nchw")).inputs["i"].shape
    for port in (Port("i", "i", (1, 7), F32), Port("i", "i", (1, 4, 6, 5), F32)):
        with pytest.raises(UsageError, match="is no image"):
            read_data(path, [port], asked("scale=1"))


def _claiming(width: int, height: int) -> bytes:
    """A PNG file of a few bytes that says it has these pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checked = kind + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    bomb = zlib.compress(bytes(1 << 20))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", bomb)


def test_every_bad_image_is_named(tmp_path: Path) -> None:
    """Bombs, cut files, other formats, 16 bits: all in one run, none takes memory."""
    _png(tmp_path / "ok.png", _pixels(1)[0])
    whole = (tmp_path / "ok.png").read_bytes()
    (tmp_path / "a.png").write_bytes(_claiming(100_000, 100_000))
    (tmp_path / "b.png").write_bytes(_claiming(20_000, 20_000))
    (tmp_path / "c.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "d.png").write_bytes(b"")
    (tmp_path / "e.jpg").write_bytes(b"GIF89a" + bytes(100))
    _png(tmp_path / "f.png", np.zeros((4, 6), np.uint16))
    found = problems_of(lambda: read_data(tmp_path, [IMAGE], asked("scale=1")))
    assert list("abcdef") == [Path(error.where).stem for error in found]
    assert {"data/bad-sample"} == {error.code for error in found}


def test_without_pillow_an_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images need the extra; nothing else does."""
    (tmp_path / "a.png").write_bytes(_claiming(4, 6))
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ToolMissing) as caught:
        read_data(tmp_path, [IMAGE], asked("scale=1"))
    assert "pip install Pillow" in caught.value.hint


_NO_PREPROCESSING = (
    *("", "size", "size=0x4", "size=1x2x3", "size=99999", "scale=0", "scale=1/0", "mean=a"),
    *("mean=inf", "order=rbg", "layout=hwc", "filter=best", "scale=1,scale=2", "crop=3"),
)


@pytest.mark.parametrize("text", _NO_PREPROCESSING)
def test_what_is_no_preprocessing_is_refused(text: str) -> None:
    """Each mistake is a ValueError with what was written."""
    with pytest.raises(ValueError, match=r"write|one of|leaves nothing|zero|convert"):
        parse_preprocess(text)


def test_preprocessing_is_read_as_it_is_written() -> None:
    """Fractions, one value or one for each channel, and sizes of one or two edges."""
    found = parse_preprocess("size=96x64, scale=1/255:1:0.5 ,order=BGR")
    assert ((96, 64), (1 / 255, 1.0, 0.5), "bgr") == (found.size, found.scale, found.order)
    assert 256 == parse_preprocess("size=256").size
    assert Preprocess().mean == found.mean


_MEMORY = """
import resource, sys
from pathlib import Path
from mcuplan.calibrate import read_data, parse_preprocess, Reading
from mcuplan.ir.graph import Port
from mcuplan.ir.types import DType
port = Port("x", "x", (1, 96, 96, 3), DType.FLOAT32)
data = read_data(Path(sys.argv[1]), [port], Reading(preprocess=parse_preprocess("scale=1")))
sum(float(part.inputs["x"].max()) for _, part in data.parts(16))
print(data.samples, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_samples(tmp_path: Path) -> None:
    """Twelve times as many images take no more memory: their 130 MB lie in a file."""
    pixels = np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    taken = {}
    for many in (100, 1200):
        first = _png(tmp_path / str(many) / "0.png", pixels)
        for k in range(1, many):
            (first.parent / f"{k}.png").hardlink_to(first)
        run = [sys.executable, "-c", _MEMORY, str(first.parent)]
        done = subprocess.run(run, capture_output=True, text=True, check=True)
        samples, taken[many] = map(int, done.stdout.split())
        assert many == samples
    assert taken[1200] < taken[100] + 30_000
