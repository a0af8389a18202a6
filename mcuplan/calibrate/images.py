# SPDX-License-Identifier: Apache-2.0
"""Images as samples: PNG and JPEG files, perhaps in a folder for each class."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from mcuplan.calibrate.data import REAL, Data, sample_shape
from mcuplan.calibrate.listing import Listing, filled, list_folder
from mcuplan.calibrate.reading import Preprocess
from mcuplan.errors import BadSample, McuplanError, ToolMissing, UsageError
from mcuplan.facts import ClassesRead
from mcuplan.ir.graph import Port
from mcuplan.ir.types import Array, DType
from mcuplan.progress import Bar

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["IMAGES", "read_images"]

IMAGES = (".png", ".jpg", ".jpeg")
"""Suffixes of such files."""

_MOST_PIXELS = 1 << 26
_MOST_BYTES = 1 << 28  # of a file
_GREY, _COLOUR = 1, 3
_MODES = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"}
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, MemoryError)
_HINT = "a whole PNG or JPEG file of 8 bits a channel"


@dataclass(frozen=True, slots=True)
class _Frame:
    """The pixels that an input takes; ``planes``: channels before rows."""

    height: int
    width: int
    channels: int
    planes: bool


def read_images(path: Path, ports: Sequence[Port], how: Preprocess, bar: Bar) -> Data:
    """Images of a folder, or one image.

    Channels are red, green and blue, or grey; transparency is left out, and pixels lie as the
    file has them.

    Raises:
        ToolMissing: Pillow is not installed.
        UsageError: the model takes no images, or ``how`` leaves open what it takes.
        DataError, Problems: files cannot be read; each is named.
    """
    _require_pillow()
    frame = _frame(ports, how, path)
    port = ports[0]
    listing = list_folder(path, IMAGES) if path.is_dir() else Listing((path,))

    def samples() -> Iterator[Array | McuplanError]:
        for file in listing.files:
            try:
                yield _sample(file, frame, port, how)
            except McuplanError as error:
                yield error

    array = filled(port, sample_shape(port), len(listing.files), samples, path, bar)
    notes = (ClassesRead(path.name, listing.classes),) if listing.classes else ()
    inputs = MappingProxyType({port.name: array})
    return Data(inputs, len(listing.files), listing.labels_of(), notes=notes)


def _require_pillow() -> None:
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        what = "Pillow, which reads images, is not installed"
        raise ToolMissing(what, hint="pip install Pillow") from None


def _frame(ports: Sequence[Port], how: Preprocess, path: Path) -> _Frame:
    """What of an image the model's input takes.

    Raises:
        UsageError: it takes no image, or more must be said.
    """
    if len(ports) != 1:
        hint = "give an .npz file with an array for each input"
        raise UsageError(f"images for a model with {len(ports)} inputs", str(path), hint)
    port, shape = ports[0], sample_shape(ports[0])
    plain = port.dtype.numpy == np.uint8 and port.on_grid
    if not plain and not {"mean", "scale"} & how.stated:
        what = f"how pixels from 0 to 255 become values of input {port.name!r} is not said"
        raise UsageError(what, str(path), "--preprocess scale=1/255, or scale=1 for pixels")
    frames = _frames(shape, how)
    if how.layout is not None:
        frames = [frame for frame in frames if frame.planes == (how.layout == "nchw")]
    if len(frames) != 1:
        ways = "--preprocess layout=nchw or nhwc says which axis holds the channels"
        hint = ways if frames else "inputs of 1 or 3 channels; flat ones need size=WIDTHxHEIGHT"
        what = f"input {port.name!r} {list(port.shape)} is no image" if not frames else "two ways"
        raise UsageError(what if not frames else f"{what} to see {list(shape)}", str(path), hint)
    return frames[0]


def _frames(shape: tuple[int, ...], how: Preprocess) -> list[_Frame]:
    """Every way to see a shape as that of an image."""
    if len(shape) == 2:
        return [_Frame(*shape, _GREY, planes=how.layout == "nchw")]
    if len(shape) == 3:
        last = _Frame(shape[0], shape[1], shape[2], planes=False)
        first = _Frame(shape[1], shape[2], shape[0], planes=True)
        return [each for each in (last, first) if each.channels in (_GREY, _COLOUR)]
    if len(shape) == 1 and isinstance(how.size, tuple):
        width, height = how.size
        channels = shape[0] / (width * height)
        if channels == _GREY:
            return [_Frame(height, width, _GREY, planes=how.layout == "nchw")]
        if channels == _COLOUR:
            return [_Frame(height, width, _COLOUR, planes=planes) for planes in (False, True)]
    return []


def _sample(path: Path, frame: _Frame, port: Port, how: Preprocess) -> Array:
    pixels = np.asarray(_image(path, frame, how))
    values = how.values(_ordered(pixels.reshape(frame.height, frame.width, -1), how))
    placed = values.transpose(2, 0, 1) if frame.planes else values
    shaped = placed.reshape(sample_shape(port))
    if port.dtype in REAL:
        return shaped
    whole: Array = np.rint(shaped)
    if port.dtype is not DType.BOOL and not port.dtype.holds(whole):
        ends = f"{whole.min():g} to {whole.max():g}"
        hint = "--preprocess mean=128 brings pixels into int8"
        raise BadSample(f"values from {ends} are beyond {port.dtype}", str(path), hint)
    return whole.astype(port.dtype.numpy)


def _ordered(pixels: Array, how: Preprocess) -> Array:
    return pixels[..., ::-1] if how.order == "bgr" else pixels


def _image(path: Path, frame: _Frame, how: Preprocess) -> Image:
    """The image in the size of a frame, its size checked before its pixels are made.

    Raises:
        BadSample: it is damaged, too large, or of other pixels.
    """
    from PIL import Image as pillow

    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadSample("the file is too large", str(path), _HINT)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is too large is refused below
            with pillow.open(path, formats=("PNG", "JPEG")) as image:
                if image.width * image.height > _MOST_PIXELS:
                    size = f"{image.width:,} x {image.height:,} pixels"
                    raise BadSample(f"{size} are too many", str(path), "scale it down")
                if image.mode not in _MODES:
                    raise BadSample(f"pixels of mode {image.mode}", str(path), _HINT)
                mode = "L" if frame.channels == _GREY else "RGB"
                return _sized(image.convert(mode), frame, how, path)
    except (*_BROKEN, pillow.DecompressionBombError) as error:
        said = " ".join(str(error).split())[:200].replace(str(path), path.name)
        raise BadSample(f"not a readable image: {said}", str(path), _HINT) from None


def _sized(image: Image, frame: _Frame, how: Preprocess, path: Path) -> Image:
    """Resized, then cut to the frame around its centre."""
    from PIL import Image as pillow

    width, height = frame.width, frame.height
    if isinstance(how.size, tuple):
        width, height = how.size
    elif how.size is not None:
        ratio = how.size / min(image.size)
        width, height = (max(how.size, round(edge * ratio)) for edge in image.size)
    if width < frame.width or height < frame.height or width * height > _MOST_PIXELS:
        what = f"resized to {width} x {height}, the input takes {frame.width} x {frame.height}"
        raise BadSample(what, str(path), "--preprocess size=WIDTHxHEIGHT of no less")
    if image.size != (width, height):
        filters = pillow.Resampling
        image = image.resize((width, height), filters[how.filter.upper()])
    left, top = (width - frame.width) // 2, (height - frame.height) // 2
    return image.crop((left, top, left + frame.width, top + frame.height))
