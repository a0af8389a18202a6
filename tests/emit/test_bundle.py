# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import (
    STAMP,
    tiny_bundle,
    tiny_integer,
    tiny_parts_plan,
    tiny_plan,
    tiny_rows_plan,
)

from mcuplan.emit import Bundle, emit
from mcuplan.ir.types import DType
from mcuplan.prove.cores import core_named
from mcuplan.prove.proofs import Subject, prove_on_core, prove_on_host
from mcuplan.prove.toolchain import write_files
from mcuplan.schedule.assembly.plan import make_plan
from mcuplan.schedule.assembly.regions import spread
from mcuplan.schedule.kernels.select import select_kernels
from mcuplan.targets import load_target

_GOLDEN = Path(__file__).resolve().parents[1] / "golden"
_CORES = ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55")
_WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wundef", "-Werror"]
_SMALL = {"tightly_coupled": 128, "slow": 128}  # neither holds the tiny network alone
_STRICT = ["-std=c99", *_WARNINGS, "-O2", "-c"]


def _feeds(samples: int, boundary: DType = DType.INT8) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    info = np.iinfo(boundary.value)
    shape = (samples, 8, 7, 2)
    name = "image" if boundary is DType.INT8 else "image_u8"
    return {name: rng.integers(info.min, info.max + 1, shape).astype(boundary.value)}


@pytest.mark.parametrize("form", ["tiny", "tiny_rows", "tiny_parts"])
def test_generated_files_are_the_reviewed_ones(form: str, request: pytest.FixtureRequest) -> None:
    """Header and source of the tiny network equal the golden files: whole, fed, in parts."""
    plans = {"tiny": tiny_plan, "tiny_rows": tiny_rows_plan, "tiny_parts": tiny_parts_plan}
    bundle = emit(plans[form](), form, STAMP)
    mine = {path: text for path, text in bundle.files.items() if path.parts[0] != "mplan"}
    folder = _GOLDEN / f"{form}.cortex-m4"
    if request.config.getoption("--update-golden"):
        write_files(mine, folder)
    for path, text in mine.items():
        assert (folder / path).read_text(encoding="ascii") == text


_CALLED_BY_EXAMPLES = """
static const int8_t *next_row(void)
{
    static const int8_t row[64];
    return row;
}
static void other_work(void) {}
static void use(const int8_t *output) { (void)output; }
"""


@pytest.mark.parametrize("form", ["tiny_rows", "tiny_parts"])
def test_the_example_in_a_header_is_c(form: str, tmp_path: Path, host_gcc: str) -> None:
    """As it stands there, for an input that is fed: whole, and in parts."""
    plan = {"tiny_rows": tiny_rows_plan, "tiny_parts": tiny_parts_plan}[form]()
    write_files(emit(plan, form, STAMP).files, tmp_path)
    header = (tmp_path / f"{form}.h").read_text()
    lines = [line[7:] for line in header.splitlines() if line.startswith(" *     ")]
    body = "\n".join(lines)
    assert f"{form}_finish(&ctx)" in body
    source = f'#include "{form}.h"\n{_CALLED_BY_EXAMPLES}int main(void)\n{{\n{body}\n}}\n'
    (tmp_path / "example.c").write_text(source)
    command = [host_gcc, *_STRICT, "-Wno-unused-function", "example.c", "-o", "example.o"]
    subprocess.run(command, cwd=tmp_path, check=True)


def test_emitting_twice_gives_the_same_bytes() -> None:
    """Nothing in a bundle depends on the run."""
    assert tiny_bundle().files == tiny_bundle().files


def _forms() -> tuple[Bundle, ...]:
    """The tiny network whole, by rows, and fed by rows."""
    rows = [emit(tiny_rows_plan(feed=feed), "tiny", STAMP) for feed in (False, True)]
    return (tiny_bundle(), *rows)


def test_lines_have_at_most_100_columns() -> None:
    """Long names of a model, its file and its regions make more lines, not longer ones."""
    stamp = replace(STAMP, model="person_detection_quantized.onnx", sha256="0" * 64)
    target = load_target("cortex-m4")
    ram = [replace(target.ram[0], bytes=n, name=r) for r, n in _SMALL.items()]
    small = replace(target, regions=(*ram, *target.flash))
    plans = [
        tiny_plan(),
        tiny_rows_plan(),
        tiny_parts_plan(),
        spread(make_plan(select_kernels(tiny_integer(), small))),
    ]
    assert 2 == len(plans[-1].memory)
    files = [emit(plan, "person_detection_int8", stamp).files for plan in plans]
    lines = [line for each in files for text in each.values() for line in text.splitlines()]
    assert [] == [line for line in lines if len(line) > 100 and "_SRC" not in line]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_bundles_compile_without_warnings(compiler: str, tmp_path: Path) -> None:
    """Every source is strict C99 for the computer's compilers."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    for bundle in _forms():
        _compile(bundle, tmp_path, [compiler])


@pytest.mark.parametrize("core", _CORES)
def test_bundles_compile_for_every_core(core: str, arm_gcc: str, tmp_path: Path) -> None:
    """Every source is strict C99 for the cross compiler."""
    for bundle in _forms():
        _compile(bundle, tmp_path, [arm_gcc, *core_named(core).flags])


def _compile(bundle: Bundle, folder: Path, compiler: list[str]) -> None:
    write_files(bundle.files, folder)
    for path in bundle.files:
        if path.suffix == ".c":
            command = [*compiler, *_STRICT, "-I.", "-Implan", str(path), "-o", "x.o"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            assert "" == done.stderr


@pytest.mark.parametrize("boundary", [DType.INT8, DType.UINT8])
def test_compiled_code_equals_the_reference_on_the_host(boundary: DType) -> None:
    """Every step's bytes equal the integer reference, under sanitizers."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    plan = tiny_plan(boundary=boundary)
    proof = prove_on_host(Subject(tiny_bundle(boundary=boundary), plan), _feeds(50, boundary))
    assert proof.mismatch is None


@pytest.mark.parametrize("core", _CORES)
def test_compiled_code_equals_the_reference_on_every_core(
    core: str, arm_gcc: str, qemu: str
) -> None:
    """Outputs, sizes and stack of the linked image are those of the plan."""
    proof = prove_on_core(Subject(tiny_bundle(core), tiny_plan(core)), _feeds(2), core_named(core))
    assert proof.equal
    assert () == proof.drift
    assert proof.stack_bytes <= proof.measured.stack.nbytes


def test_a_changed_constant_is_drift(arm_gcc: str, qemu: str) -> None:
    """One array element more than planned fails the comparison with the ELF."""
    plan, bundle = tiny_plan(), tiny_bundle()
    files = dict(bundle.files)
    path = next(p for p in files if p.name == "tiny.c")
    files[path] = re.sub(
        r"int8_t conv2d_0_weights\[108\]", "int8_t conv2d_0_weights[109]", files[path]
    )
    changed = Bundle(
        bundle.name,
        files,
        bundle.inputs,
        bundle.outputs,
        bundle.regions,
        bundle.symbols,
        bundle.steps,
    )
    proof = prove_on_core(Subject(changed, plan), _feeds(1), core_named("cortex-m4"))
    assert ("conv2d_0_weights: 109 B linked, 108 B planned",) == proof.drift


def test_a_wrong_weight_is_a_mismatch_with_the_step_named() -> None:
    """The first diverging step is the one that was changed."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    plan, bundle = tiny_plan(), tiny_bundle()
    files = dict(bundle.files)
    path = next(p for p in files if p.name == "tiny.c")
    files[path] = files[path].replace(".stride_w = 2U", ".stride_w = 1U", 1)
    changed = Bundle(
        bundle.name,
        files,
        bundle.inputs,
        bundle.outputs,
        bundle.regions,
        bundle.symbols,
        bundle.steps,
    )
    proof = prove_on_host(Subject(changed, plan), _feeds(5))
    assert proof.mismatch is not None
    assert 0 == proof.mismatch.step
