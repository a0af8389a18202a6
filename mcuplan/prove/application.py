# SPDX-License-Identifier: Apache-2.0
"""Uses a bundle as an application would: what its header says and does, against the graph.

The test program goes through macros, helpers, accessors and functions of the header alone, makes
wrong calls, and writes what it finds. What that must be is computed here from graph and plan; the
emitter's texts are not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from subprocess import CompletedProcess

import numpy as np
import numpy.typing as npt

from mcuplan.findings import DEFECT_HINT, Finding, Severity
from mcuplan.ir.graph import Port
from mcuplan.ir.types import Array, TensorType
from mcuplan.prove.app_glue import MISALIGNED, PROBES, application_source, tried_from
from mcuplan.prove.emulator import run_machine
from mcuplan.prove.harness import CoreImage, Image, build_application
from mcuplan.prove.samples import explain_failure
from mcuplan.prove.subject import Subject
from mcuplan.prove.toolchain import run_tool
from mcuplan.units import align_up

__all__ = ["application_on_core", "application_on_host"]

_OK, _NULL, _ALIGN, _ORDER, _MORE = range(5)  # the documented status codes
_ARENA_ALIGN = 4
_TIMEOUT_S = 300.0
_Done = CompletedProcess[str]
_SHOWN = 3  # contradictions of a header that are told
_Words = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class _Expected:
    """Words of ``app.bin``, and what they are."""

    label: str
    words: _Words
    real: bool = False


def application_on_host(subject: Subject, image: Image) -> Iterator[Finding]:
    """What a header says and does wrong, on this computer.

    Raises:
        ToolFailed: the program does not compile, or did not end in time.
    """

    def run(program: PurePosixPath) -> _Done:
        return run_tool([f"./{program}"], image.work, timeout_s=_TIMEOUT_S, check=False)

    yield from _check(subject, image, run, "host")


def application_on_core(subject: Subject, image: CoreImage) -> Iterator[Finding]:
    """What a header says and does wrong, on an emulated core.

    Raises:
        ToolMissing, ToolFailed: as on this computer, or no emulator.
    """

    def run(program: PurePosixPath) -> _Done:
        return run_machine(image.core.machine, program, image.work, timeout_s=_TIMEOUT_S)

    yield from _check(subject, image, run, f"emulator {image.core.name}")


def _check(
    subject: Subject, image: Image, run: Callable[[PurePosixPath], _Done], place: str
) -> Iterator[Finding]:
    """Build the program beside an image, run it in its folder, and compare all it says."""
    rng = np.random.Generator(np.random.PCG64(0))
    graph = subject.graph
    kinds = [graph.tensor(port.tensor).type for port in graph.app_inputs]
    probes = [_probes(kind, rng) for kind in kinds]
    sample = [_sample(kind, rng) for kind in kinds]
    floats = np.concatenate([*probes, *(real.reshape(-1) for real in sample)])
    (image.work / "app_in.bin").write_bytes(floats.astype("<f4").tobytes())
    on_core = isinstance(image, CoreImage)
    glue = application_source(subject.api(), _ranks(subject), sections=on_core)
    done = run(build_application(image, glue))
    if done.returncode != 0:
        said = explain_failure(done, place).message
        text = f"{place}: a program that uses the header stopped: {said}"
        yield Finding("verify/header", Severity.ERROR, text, "", DEFECT_HINT)
        return
    found = np.fromfile(image.work / "app.bin", "<u4")
    at, told = 0, 0
    for expected in _expected(subject, probes, sample):
        words = found[at : at + len(expected.words)]
        at += len(expected.words)
        if told < _SHOWN and not np.array_equal(words, expected.words):
            told += 1
            yield _finding(place, expected, words)
    if at != len(found):
        yield _finding(place, _Expected("words of the test program", _words([at])), found[:0])


def _finding(place: str, expected: _Expected, words: _Words) -> Finding:
    """The first word that differs."""
    if len(words) == len(expected.words):
        at = int(np.flatnonzero(words != expected.words)[0])
        shown = [_shown(value, real=expected.real) for value in (words[at], expected.words[at])]
        text = f"{expected.label} is {shown[0]}, {shown[1]} expected"
    else:
        text = f"{expected.label} is missing"
    return Finding("verify/header", Severity.ERROR, f"{place}: {text}", "", DEFECT_HINT)


def _shown(word: np.uint32, *, real: bool) -> str:
    value = word.view(np.float32) if real else word.view(np.int32)
    return f"{value:.9g}" if real else str(value)


def _expected(
    subject: Subject, probes: Sequence[Array], sample: Sequence[Array]
) -> Iterator[_Expected]:
    """What the program must write, in its order."""
    yield from _facts(subject)
    yield from _wrong_calls(subject)
    if subject.bundle.fed_rows:
        yield from _order(subject)
    if subject.bundle.states:
        yield _Expected(f"{subject.bundle.name}_reset()", _words([_OK]))
    api, graph = subject.api(), subject.graph
    for accessor in _accessors(subject):
        yield _Expected(f"{accessor}() inside its arena", _words([1]))
    for port, model, values in zip(api.inputs, graph.app_inputs, probes, strict=True):
        kind = graph.tensor(model.tensor).type
        yield _Expected(f"{port.accessor}_quantize()", _words(_quantized(kind, values)))
    for port, model in zip(api.outputs, graph.app_outputs, strict=True):
        kind = graph.tensor(model.tensor).type
        levels = np.arange(256) + tried_from(kind.dtype)
        yield _Expected(f"{port.accessor}_real()", _floats(_real(kind, levels)), real=True)
    for port, model in zip(api.outputs, graph.app_outputs, strict=True):
        answer = _answer(subject, sample, model)
        yield _Expected(f"answer of {port.accessor}()", _floats(answer), real=True)


def _facts(subject: Subject) -> Iterator[_Expected]:
    api, graph = subject.api(), subject.graph
    for value, name in enumerate(("OK", "ERR_NULL", "ERR_ALIGN", "ERR_ORDER", "MORE")):
        yield _Expected(f"MPLAN_{name}", _words([value]))
    yield _Expected("MPLAN_ARENA_ALIGN", _words([_ARENA_ALIGN]))
    for (member, ctype), memory in zip(api.regions, subject.plan.memory.values(), strict=True):
        size = max(_ARENA_ALIGN, align_up(memory.arena_bytes, _ARENA_ALIGN))
        yield _Expected(f"{api.name}_{member}_BYTES".upper(), _words([size]))
        yield _Expected(f"sizeof({ctype})", _words([size]))
    pairs = [*zip(api.inputs, graph.app_inputs, strict=True)]
    pairs += zip(api.outputs, graph.app_outputs, strict=True)
    for port, model in pairs:
        kind, stem = graph.tensor(model.tensor).type, port.accessor.upper()
        shape = _shape(model, kind)
        yield _Expected(f"{stem}_BYTES", _words([kind.nbytes]))
        yield _Expected(f"{stem}_COUNT", _words([kind.elements]))
        yield _Expected(f"{stem}_RANK", _words([len(shape)]))
        for axis, size in enumerate(shape):
            yield _Expected(f"{stem}_DIM{axis}", _words([size]))
        if kind.quant is not None:
            yield _Expected(f"{stem}_ZERO_POINT", _words([kind.quant.z]))
        if api.fed_rows and port in api.inputs:
            yield _Expected(f"{stem}_ROWS", _words([kind.rows]))
            yield _Expected(f"{stem}_ROW_BYTES", _words([kind.row_bytes]))
            if model.planes:
                yield _Expected(f"{stem}_ROW_PLANES", _words([model.planes]))
                yield _Expected(f"{stem}_ROW_PIXELS", _words([kind.row_bytes // model.planes]))
    for port, model in pairs:
        quant = graph.tensor(model.tensor).type.quant
        if quant is not None:
            scale = np.asarray([quant.s])
            yield _Expected(f"{port.accessor.upper()}_SCALE", _floats(scale), real=True)


def _wrong_calls(subject: Subject) -> Iterator[_Expected]:
    """Every function and accessor with every context that is not usable."""
    api = subject.api()
    cases = [("ctx NULL", _NULL)]
    cases += [(f"{member} NULL", _NULL) for member, _ in api.regions]
    cases += [
        (f"{member} {by} bytes off", _ALIGN) for member, _ in api.regions for by in MISALIGNED
    ]
    for case, status in cases:
        for entry in api.functions:
            yield _Expected(f"{entry}() with {case}", _words([status]))
            yield _Expected(f"{entry}() with {case} writes nothing", _words([1]))
        for accessor in _accessors(subject):
            yield _Expected(f"{accessor}() with {case} gives NULL", _words([1]))


def _order(subject: Subject) -> Iterator[_Expected]:
    """What ``app_feed.c.in`` does."""
    begin, feed, finish = subject.api().entries
    rows = subject.graph.tensor(subject.graph.inputs[0].tensor).type.rows

    def tried(what: str, status: int) -> Iterator[_Expected]:
        yield _Expected(what, _words([status]))
        yield _Expected(f"{what} writes nothing", _words([1]))

    yield from tried(f"{feed}() before begin", _ORDER)
    yield from tried(f"{finish}() before begin", _ORDER)
    yield _Expected(f"{begin}()", _words([_OK]))
    for y in range(rows):
        if y < 2 or y + 1 == rows:
            yield from tried(f"{feed}() of no row, at row {y}", _NULL)
            yield from tried(f"{finish}() before row {y}", _ORDER)
        yield _Expected(f"{feed}() of row {y}", _words([_OK]))
    for left in reversed(range(subject.api().finishing)):
        yield from tried(f"{feed}() of one row too many", _ORDER)
        yield _Expected(f"{finish}()", _words([_MORE if left else _OK]))
    yield from tried(f"{feed}() after finish", _ORDER)
    yield from tried(f"{finish}() after finish", _ORDER)
    yield _Expected(f"{begin}() once more", _words([_OK]))
    yield _Expected(f"{feed}() of row 0, once more", _words([_OK]))


def _accessors(subject: Subject) -> tuple[str, ...]:
    """In the order of the program; a fed input has none."""
    api = subject.api()
    inputs = () if api.fed_rows else api.inputs
    return tuple(port.accessor for port in (*inputs, *api.outputs))


def _ranks(subject: Subject) -> Mapping[str, int]:
    """Number of axes of each port, by accessor."""
    api, graph = subject.api(), subject.graph
    ports = zip((*api.inputs, *api.outputs), (*graph.app_inputs, *graph.app_outputs), strict=True)
    return {p.accessor: len(_shape(model, graph.tensor(model.tensor).type)) for p, model in ports}


def _shape(port: Port, kind: TensorType) -> tuple[int, ...]:
    """As the C boundary has it: the model's own, unless the axes were moved in memory."""
    return port.shape if port.layout is None or port.planes else kind.shape


def _probes(kind: TensorType, rng: np.random.Generator) -> Array:
    """Real values around every rounding limit of a grid, far beyond it, and no numbers."""
    if _is_whole(kind):
        return rng.integers(max(kind.dtype.low, -128), 128, PROBES).astype(np.float32)
    scale = 1.0 if kind.quant is None else kind.quant.s
    steps = np.arange(-258, 258, dtype=np.float32) / np.float32(2)
    limits = (steps * np.float32(scale)).astype(np.float32)
    beside = [np.nextafter(limits[::4], np.float32(side)) for side in (np.inf, -np.inf)]
    far = np.array([0, -0.0, np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-40], np.float32)
    known = np.concatenate([limits, *beside, far])
    rest = rng.uniform(-600, 600, PROBES - len(known)) * scale
    return np.concatenate([known, rest]).astype(np.float32)


def _sample(kind: TensorType, rng: np.random.Generator) -> Array:
    """Real values that use the whole grid of an input, and some beyond it; else 0 and 1."""
    if _is_whole(kind):
        return rng.integers(0, 2, kind.shape).astype(np.float32)
    if kind.quant is None:
        return rng.standard_normal(kind.shape, np.float32)
    ends = kind.dtype.low - 4, kind.dtype.high + 4
    low, high = (kind.q.s * (limit - kind.q.z) for limit in ends)
    return rng.uniform(low, high, kind.shape).astype(np.float32)


def _quantized(kind: TensorType, real: Array) -> Array:
    """Nearest integers, halves to even; no number is real 0. Of real elements the bits."""
    if _is_whole(kind):
        return real.astype(np.int64)
    if kind.quant is None:
        return real.astype(np.float32).view(np.int32).astype(np.int64)
    with np.errstate(over="ignore", invalid="ignore"):
        q = np.rint(real / np.float32(kind.q.s)) + kind.q.z
    clipped: Array = np.clip(np.nan_to_num(q, nan=kind.q.z), kind.dtype.low, kind.dtype.high)
    return clipped.astype(np.int64)


def _real(kind: TensorType, q: Array) -> Array:
    """Real values, computed in float32; those whose bits are given where elements are real."""
    if _is_whole(kind):
        return q.astype(np.int32).astype(np.float32)
    if kind.quant is None:
        return q.astype(np.int32).view(np.float32)
    real: Array = np.float32(kind.q.s) * (q.astype(np.int64) - kind.q.z).astype(np.float32)
    return real


def _answer(subject: Subject, sample: Sequence[Array], port: Port) -> Array:
    """Real values of an output for the real sample."""
    graph = subject.graph
    feeds = {}
    for model, real in zip(graph.app_inputs, sample, strict=True):
        kind = graph.tensor(model.tensor).type
        feeds[model.tensor] = _elements(kind, _quantized(kind, real))
    values = subject.expected(feeds, [port.tensor])[port.tensor].reshape(-1)
    kind = graph.tensor(port.tensor).type
    return values if kind.dtype.is_float else _real(kind, values)


def _elements(kind: TensorType, words: Array) -> Array:
    """What lies in memory, of words as the program writes them."""
    if kind.dtype.is_float:
        return words.astype(np.int32).view(np.float32)
    return words.astype(kind.dtype.numpy)


def _is_whole(kind: TensorType) -> bool:
    """Whether a tensor holds integers or truth values on no grid."""
    return kind.quant is None and not kind.dtype.is_float


def _words(values: Sequence[int] | Array) -> _Words:
    return np.asarray(values, np.int64).astype(np.int32).view(np.uint32)


def _floats(values: Array) -> _Words:
    return np.ascontiguousarray(values, np.float32).view(np.uint32)
