# SPDX-License-Identifier: Apache-2.0
"""Files of a run: samples that go in, outputs and tensors that come out."""

from __future__ import annotations

import math
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from mcuplan.errors import ToolFailed
from mcuplan.prove.api import BundleApi, Bytes, IoPort
from mcuplan.prove.harness import Image
from mcuplan.prove.toolchain import ended, said

__all__ = ["Produced", "explain_failure", "read_results", "write_samples"]

_MEANING = {
    81: "the model returned an error",
    82: "a file of the run could not be read or written",
    83: "the model used the whole stack of the test image",
    84: "the processor took a fault",
}
_REPORT_LINES = 30
_RESULT_WORDS = 4


@dataclass(frozen=True, slots=True)
class Produced:
    """What a run wrote.

    Attributes:
        outputs: per output ``[samples, nbytes]`` in the port's element type.
        dumps: per tensor dump of the image ``[samples, nbytes]``, int8.
        stack_bytes: largest stack use of a call, 0 where it was not measured.
        stray: the first step that wrote what it must not, and the sample; None where none did.
    """

    outputs: tuple[Bytes, ...]
    dumps: tuple[npt.NDArray[np.int8], ...]
    stack_bytes: int
    stray: tuple[int, int] | None


def write_samples(image: Image, inputs: tuple[Bytes, ...]) -> int:
    """Write the input file of a run and remove what an earlier run left; returns the samples."""
    ports = image.api.inputs
    if len(inputs) != len(ports):
        raise ValueError(f"{len(ports)} inputs expected, {len(inputs)} given")
    columns = [_as_bytes(array, port) for array, port in zip(inputs, ports, strict=True)]
    for name in ("outputs.bin", "dumps.bin", "result.bin"):
        (image.work / name).unlink(missing_ok=True)
    table = np.concatenate(columns, axis=1)
    (image.work / "inputs.bin").write_bytes(table.tobytes())
    return len(table)


def _as_bytes(array: Bytes, port: IoPort) -> npt.NDArray[np.uint8]:
    width = math.prod(array.shape[1:])
    flat = np.ascontiguousarray(array).reshape(len(array), width)
    if flat.dtype != port.dtype.numpy or flat.shape[1] * flat.itemsize != port.nbytes:
        raise ValueError(
            f"{port.accessor}: {port.nbytes} {port.dtype.c_type} per sample expected, "
            f"{flat.shape[1]} {flat.dtype} given"
        )
    return flat.view(np.uint8)


def read_results(image: Image, samples: int, runner: str) -> Produced:
    """Read what a run of ``samples`` samples wrote; ``runner`` is the program that ran it.

    Raises:
        ToolFailed: the run stopped before the last sample, or its files are not whole.
    """
    words = _whole(image.work / "result.bin", 4 * _RESULT_WORDS, runner).view("<u4")
    done, stack_bytes, stray, at = words.tolist()
    if done != samples:
        raise ToolFailed(f"the test image ran {done} of {samples} samples", runner)
    dumps = _read_dumps(image, samples) if image.dumps else ()
    outputs = _read_outputs(image.work, image.api, samples, runner)
    return Produced(outputs, dumps, stack_bytes, (stray - 1, at) if stray else None)


def _whole(path: Path, nbytes: int, runner: str) -> npt.NDArray[np.uint8]:
    """The bytes of a file that has as many.

    Raises:
        ToolFailed: it is missing, or has more or fewer.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError:
        data = np.empty(0, np.uint8)
    if data.size != nbytes:
        raise ToolFailed(
            f"{runner} ended well and wrote {data.size:,} of {nbytes:,} B of {path.name}",
            hint=f"`{runner} --version` must work; see that it is the real one",
        )
    return data


def _read_outputs(work: Path, api: BundleApi, samples: int, runner: str) -> tuple[Bytes, ...]:
    width = sum(port.nbytes for port in api.outputs)
    table = _whole(work / "outputs.bin", samples * width, runner).reshape(samples, width)
    outputs: list[Bytes] = []
    start = 0
    for port in api.outputs:
        columns = np.ascontiguousarray(table[:, start : start + port.nbytes])
        outputs.append(columns.view(port.dtype.numpy))
        start += port.nbytes
    return tuple(outputs)


def _read_dumps(image: Image, samples: int) -> tuple[npt.NDArray[np.int8], ...]:
    """Columns of ``dumps.bin``, not copied: every sample writes the same records in one order.

    Raises:
        ToolFailed: a step did not run once per sample.
    """
    if samples == 0:
        return tuple(np.empty((0, dump.nbytes), np.int8) for dump in image.dumps)
    path = image.work / "dumps.bin"
    if not path.is_file() or path.stat().st_size == 0:
        raise ToolFailed("the test image wrote no dumps.bin")
    data = np.asarray(np.memmap(path, np.int8, "r"))
    if len(data) % samples:
        raise ToolFailed("samples ran different steps")
    table = data.reshape(samples, -1)
    places = _record_places(table[0])
    found = []
    by_index: dict[int, list[int]] = {}
    for at, start in places:
        by_index.setdefault(at, []).append(start)
    for index, dump in enumerate(image.dumps):
        starts = by_index.get(index, [])
        if len(starts) != 1:
            raise ToolFailed(f"step {dump.step} ran {len(starts)} times in a call")
        found.append(table[:, starts[0] : starts[0] + dump.nbytes])
    return tuple(found)


def _record_places(row: npt.NDArray[np.int8]) -> list[tuple[int, int]]:
    """Index and first byte of each record of one sample."""
    places = []
    at = 0
    while at < len(row):
        if len(row) - at < 8:
            raise ToolFailed("dumps.bin ends inside a record")
        index, nbytes = row[at : at + 8].view("<u4").tolist()
        places.append((index, at + 8))
        at += 8 + nbytes
    return places


def explain_failure(done: subprocess.CompletedProcess[str], runner: str) -> ToolFailed:
    """The error for a test image that did not end well; ``runner`` is what ran it."""
    lines = (done.stdout + done.stderr).strip().splitlines()
    for index, line in enumerate(lines):
        if "runtime error:" in line or "ERROR: AddressSanitizer" in line:
            report = "\n".join(lines[index : index + _REPORT_LINES])
            return ToolFailed(f"sanitizer stopped the generated code:\n{report}")
    tool = PurePosixPath(done.args[0]).name
    meaning = _MEANING.get(done.returncode, f"{tool}: {ended(done)}")
    return ToolFailed(f"run on {runner} failed, {meaning}:\n{said(done)}")
