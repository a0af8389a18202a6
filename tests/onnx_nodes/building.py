# SPDX-License-Identifier: Apache-2.0
"""From cases to one program: planned, generated, compiled together, run on this computer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from string import Template
from types import MappingProxyType

import numpy as np
import onnx

from mcuplan import pipeline
from mcuplan.calibrate import Data
from mcuplan.emit import Bundle, BundlePort
from mcuplan.errors import McuplanError, Problems, ToolFailed, UsageError
from mcuplan.ir.types import Array, DType
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.prove.glue import arena_objects
from mcuplan.prove.subject import Subject
from mcuplan.prove.toolchain import (
    BUNDLE_FLAGS,
    Compiler,
    compile_sources,
    host_compiler,
    link,
    run_tool,
    write_files,
)
from mcuplan.record import Planned, Request
from mcuplan.targets import load_target

from .listed import Case

__all__ = ["Built", "build", "run_built"]

_HERE = Path(__file__).resolve().parent
_TARGET = "corstone-300"  # roomy; kernels are the portable ones
_JOBS = 2
_FLAGS = (*BUNDLE_FLAGS, "-O0")
_REASON_LENGTH = 160


@dataclass(frozen=True)
class Built:
    """A case as C code; ``feeds`` are the bytes of its inputs."""

    case: Case
    bundle: Bundle
    subject: Subject
    feeds: bytes


def build(cases: Sequence[Case], work: Path) -> tuple[list[Built], dict[str, str]]:
    """Plan and generate each case in a folder; and why some could not be."""
    made, failures = [], {}
    for index, case in enumerate(cases):
        try:
            made.append(_built(case, f"case{index}", work))
        except Exception as error:  # of any kind: the others go on, and the reason is shown
            failures[case.name] = reason(error)
    return made, failures


def reason(error: Exception) -> str:
    """What went wrong, on one short line."""
    if isinstance(error, Problems):
        return reason(error.errors[0])
    text = f"crash, {type(error).__name__}: {error}"
    if isinstance(error, McuplanError):
        text = f"{error.code}: {error.message}"
    return re.sub(r"\s+", " ", text)[:_REASON_LENGTH].strip()


def _built(case: Case, name: str, work: Path) -> Built:
    """The first form of a case that can be planned."""
    forms = list(case.forms())
    for model, inputs in forms[:-1]:
        try:
            return _generated(case, model, inputs, name, work)
        except (McuplanError, Problems):
            continue  # constants may help
    model, inputs = forms[-1]
    return _generated(case, model, inputs, name, work)


def _generated(
    case: Case, model: onnx.ModelProto, inputs: dict[str, Array], name: str, work: Path
) -> Built:
    path = work / f"{name}.onnx"
    onnx.save(model, path)
    planned = _planned(path)
    bundle = pipeline.generate(planned, name)
    data = Data(MappingProxyType({name: array[None] for name, array in inputs.items()}), 1)
    feeds = boundary_inputs(planned.integer, data)
    ports = zip(planned.integer.app_inputs, bundle.inputs, strict=True)
    arrays = [_in_c(feeds[port.tensor], c_port) for port, c_port in ports]
    subject = Subject(bundle, planned.plan, planned.removal)
    return Built(case, bundle, subject, b"".join(a.tobytes() for a in arrays))


def _planned(path: Path) -> Planned:
    """In float32, or with the grids that the model has."""
    target = load_target(_TARGET)
    try:
        return pipeline.plan(Request(path, target, dtype=DType.FLOAT32))
    except UsageError:
        return pipeline.plan(Request(path, target, random_calibration=True))


def _in_c(values: Array, port: BundlePort) -> Array:
    """Values of the graph in the type of the C code."""
    moved = DType.of(values).recoded(values, port.dtype) if port.quant is not None else values
    cast: Array = moved.astype(port.dtype.numpy)
    assert cast.nbytes == port.nbytes, f"{port.name}: {cast.nbytes} of {port.nbytes} bytes"
    return cast


def run_built(made: Sequence[Built], work: Path) -> dict[str, list[Array] | str]:
    """Compile all cases, run them, and read the outputs of each; or why there are none."""
    compiler = host_compiler()
    texts = {path: text for one in made for path, text in _texts(one)}
    for file in ("driver.c", "driver.h"):
        texts[PurePosixPath(file)] = (_HERE / file).read_text(encoding="utf-8")
    write_files(texts, work)
    refused = _compile_each(texts, compiler, work)
    found: dict[str, list[Array] | str] = {}
    runs = []
    for one in made:
        sources = [p for p in one.bundle.files if p.suffix == ".c" and p.parts[0] == "mplan"]
        sources.append(PurePosixPath(f"run_{one.bundle.name}.c"))
        wrong = [refused[path] for path in sources if path in refused]
        if wrong:
            found[one.case.name] = wrong[0]
        else:
            runs.append(one)
    library = [p for p in texts if p.parts[0] == "mplan" and p.suffix == ".c"]
    kernels = [path for path in library if path not in refused]
    said = _run_program(runs, kernels, compiler, work)
    for one in runs:
        found[one.case.name] = said.get(one.bundle.name) or _outputs(one, work)
    return found


def _texts(one: Built) -> Iterator[tuple[PurePosixPath, str]]:
    """Files of a case: its bundle, and the function that runs it."""
    api = one.subject.api()
    yield from one.bundle.files.items()
    ports = {
        what: "\n".join(
            f"    driver_{what}((void *)(uintptr_t){port.accessor}(&context), {port.nbytes}U);"
            for port in group
        )
        for what, group in (("read", api.inputs), ("write", api.outputs))
    }
    name = api.name
    text = Template((_HERE / "case.c.in").read_text(encoding="utf-8")).substitute(
        name=name,
        arenas="\n".join(f"static {line}" for line in arena_objects(api, (), ())),
        members="\n".join(f"    .{region} = &{api.arena(region)}," for region, _ in api.regions),
        reset=f"    (void){name}_reset(&context);\n" if api.states else "",
        **ports,
    )
    yield PurePosixPath(f"run_{name}.c"), text


def _compile_each(
    texts: Mapping[PurePosixPath, str], compiler: Compiler, work: Path
) -> dict[PurePosixPath, str]:
    """Compile what is no part of another file; what the compiler said of those it refused."""
    wanted = [
        path
        for path in texts
        if path.suffix == ".c" and (path.parts[0] == "mplan" or path.stem.startswith("run_"))
    ]

    def one(path: PurePosixPath) -> str:
        try:
            compile_sources(compiler, [path], work, (*_FLAGS, "-I.", "-Implan"))
        except ToolFailed as error:
            return reason(error)
        return ""

    with ThreadPoolExecutor(_JOBS) as pool:
        said = dict(zip(wanted, pool.map(one, wanted), strict=True))
    return {path: text for path, text in said.items() if text}


def _run_program(
    runs: Sequence[Built], kernels: Sequence[PurePosixPath], compiler: Compiler, work: Path
) -> dict[str, str]:
    """Link and run the cases; how those ended that did not end well, by name of the bundle."""
    names = [one.bundle.name for one in runs]
    lines = ['#include "driver.h"', *(f"int run_{name}(void);" for name in names)]
    lines.append("const driver_case_t driver_cases[] = {")
    lines += [f'    {{ "{name}", run_{name} }},' for name in names]
    lines += ["    { NULL, NULL },", "};", f"const size_t driver_count = {len(names)}U;", ""]
    table = PurePosixPath("table.c")
    (work / table).write_text("\n".join(lines), encoding="utf-8")
    mine = compile_sources(compiler, [table, PurePosixPath("driver.c")], work, ("-std=c99", "-I."))
    sources = [*kernels, *(PurePosixPath(f"run_{name}.c") for name in names)]
    objects = [*mine, *("obj" / path.with_suffix(".o") for path in sources)]
    program = link(compiler, objects, PurePosixPath("cases"), work, ())
    for one in runs:
        (work / f"{one.bundle.name}.in").write_bytes(one.feeds)
    done = run_tool([f"./{program}"], work)
    words = [line.split(" ", 1) for line in done.stdout.splitlines()]
    return {name: f"crash, the C code: {how}" for name, how in words}


def _outputs(one: Built, work: Path) -> list[Array] | str:
    """Outputs in the model's types."""
    raw = (work / f"{one.bundle.name}.out").read_bytes()
    if len(raw) != sum(port.nbytes for port in one.bundle.outputs):
        return f"crash, the C code: {len(raw)} bytes of outputs"
    found, start = [], 0
    graph = one.subject.graph
    for port, c_port in zip(graph.app_outputs, one.bundle.outputs, strict=True):
        values = np.frombuffer(raw[start : start + c_port.nbytes], c_port.dtype.numpy)
        start += c_port.nbytes
        if c_port.quant is not None and port.dtype.is_float:
            values = (values.astype(np.float64) - c_port.quant.z) * c_port.quant.s
        shaped = graph.tensor(port.tensor).type.shape
        found.append(port.to_model(values.reshape(1, *shaped)).reshape(port.shape))
    return found
