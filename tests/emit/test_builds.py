# SPDX-License-Identifier: Apache-2.0
"""Bundles in the builds that users have: include paths, languages, flags, several folders."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import STAMP, tiny_bundle, tiny_integer, tiny_plan, tiny_rows_plan
from test_two_models import MAIN

from mcuplan.backends import backend_of
from mcuplan.emit import Bundle, emit
from mcuplan.ir.evaluate import evaluate
from mcuplan.prove.cores import core_named
from mcuplan.prove.toolchain import write_files
from mcuplan.resources import codegen_dir
from mcuplan.schedule.assembly.order import find_order
from mcuplan.schedule.assembly.plan import make_plan
from mcuplan.schedule.kernels.select import select_kernels
from mcuplan.schedule.planning.by_rows import plan_rows
from mcuplan.targets import load_target

_STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wundef", "-Werror"]
_CPP = ["-Wall", "-Wextra", "-Wconversion", "-Wold-style-cast", "-Wundef", "-Werror"]
_APPLICATION = """
#include "tiny.h"

static tiny_sram_t arena;

float answer(const float *image);
float answer(const float *image)
{
    tiny_ctx_t ctx = { &arena };
    int8_t *const input = tiny_input(&ctx);

    for (size_t i = 0U; i < TINY_INPUT_BYTES; i++) {
        input[i] = tiny_input_quantize(image[i]);
    }
    return (tiny_invoke(&ctx) == MPLAN_OK) ? tiny_output_real(tiny_output(&ctx)[0]) : 0.0f;
}
"""


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.stderr if done.returncode == 0 else f"failed: {done.stderr}"


def _write_flat(bundle: Bundle, folder: Path) -> None:
    for path, text in bundle.files.items():
        (folder / path.name).write_text(text)


@pytest.mark.parametrize(
    ("flat", "paths"),
    [(False, ["m"]), (False, ["m", "m/mplan"]), (False, ["m/mplan", "m"]), (True, ["m"])],
    ids=["folder", "both", "library first", "flat"],
)
@pytest.mark.parametrize("compiler", ["gcc", "clang", "arm-none-eabi-gcc"])
def test_include_paths(compiler: str, flat: bool, paths: list[str], tmp_path: Path) -> None:
    """An application compiles with one include path, with two, and from one folder of all files."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    bundle, folder = tiny_bundle(), tmp_path / "m"
    folder.mkdir()
    (tmp_path / "app.c").write_text(_APPLICATION)
    if flat:
        _write_flat(bundle, folder)
    else:
        write_files(bundle.files, folder)
    core = core_named("cortex-m4").flags if compiler.startswith("arm") else ()
    include = [f"-I{path}" for path in paths]
    sources = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.c"))
    assert len(sources) > 3
    for source in sources:
        command = [compiler, *core, *_STRICT, "-O1", *include, "-c", source, "-o", "x.o"]
        assert "" == _run(command, tmp_path)


@pytest.mark.parametrize("paths", [["flat", "folder"], ["folder", "flat"]])
def test_a_flat_folder_beside_one_with_a_library(
    paths: list[str], host_gcc: str, tmp_path: Path
) -> None:
    """The mplan/ of another model, which lacks kernels of this one, is not taken for its own."""
    (tmp_path / "flat").mkdir()
    _write_flat(tiny_bundle(), tmp_path / "flat")
    other = emit(tiny_plan(), "other", STAMP)
    write_files(other.files, tmp_path / "folder")
    (tmp_path / "folder/mplan/mplan_softmax_s8.h").unlink()
    include = [f"-I{path}" for path in paths]
    command = [host_gcc, *_STRICT, *include, "-c", "flat/tiny.c", "-o", "x.o"]
    assert "" == _run(command, tmp_path)


@pytest.mark.parametrize("compiler", ["g++", "clang++", "arm-none-eabi-g++"])
@pytest.mark.parametrize("standard", ["c++11", "c++17"])
def test_the_header_serves_cpp(compiler: str, standard: str, tmp_path: Path) -> None:
    """A C++ application uses macros, helpers and calls without one old-fashioned cast."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    (tmp_path / "app.cpp").write_text(_APPLICATION)
    (tmp_path / "rows.cpp").write_text('#include "rows.h"\nint main() { return 0; }\n')
    write_files(tiny_bundle().files, tmp_path)
    write_files(emit(tiny_rows_plan(), "rows", STAMP).files, tmp_path)
    core = core_named("cortex-m0").flags if compiler.startswith("arm") else ()
    for source in ("app.cpp", "rows.cpp"):
        command = [compiler, *core, f"-std={standard}", *_CPP, "-I.", "-fsyntax-only", source]
        assert "" == _run(command, tmp_path)


@pytest.mark.parametrize("form", ["whole", "rows", "fed"])
def test_a_region_may_have_any_name(form: str, host_gcc: str, tmp_path: Path) -> None:
    """A name in a target file clashes with none that the generated code needs."""
    command = [host_gcc, *_STRICT, "-Wshadow", "-I.", "-fsyntax-only", "tiny.c"]
    for name in ("ctx", "input", "output", "run", "runs", "turn", "step", "status", "y", "y0", "i"):
        target = load_target("cortex-m4")
        target = replace(target, regions=(replace(target.ram[0], name=name), *target.flash))
        plan = make_plan(select_kernels(find_order(tiny_integer()).graph, target))
        if form != "whole":
            by_rows = plan_rows(tiny_integer(), target, feed=form == "fed")
            assert by_rows is not None
            plan = by_rows
        write_files(emit(plan, "tiny", STAMP).files, tmp_path)
        assert "" == _run(command, tmp_path), name


@pytest.mark.parametrize(
    ("core", "flag", "cause"),
    [
        ("cortex-m4", "-mno-unaligned-access", "(-munaligned-access)"),
        ("cortex-m55", "-mno-unaligned-access", "(-munaligned-access)"),
        ("cortex-m4", "-mcpu=cortex-m3 -mfloat-abi=soft", "DSP instructions"),
        ("cortex-m55", "-mcpu=cortex-m55+nomve", "MVE"),
        ("cortex-m4", "-mbig-endian", "little-endian"),
        ("cortex-m0", "-fpack-struct", "structs_are_not_packed"),
    ],
)
def test_a_flag_that_breaks_a_kernel_stops_the_build(
    core: str, flag: str, cause: str, arm_gcc: str, tmp_path: Path
) -> None:
    """Code whose assumption a flag takes away does not compile, and the message names it."""
    target = load_target(core)
    target = replace(target, backend=backend_of(target.features))
    plan = make_plan(select_kernels(find_order(tiny_integer()).graph, target))
    write_files(emit(plan, "tiny", STAMP).files, tmp_path)
    command = [
        arm_gcc,
        *core_named(core).flags,
        *_STRICT,
        "-O2",
        "-I.",
        "-c",
        "tiny.c",
        "-o",
        "x.o",
    ]
    assert "" == _run(command, tmp_path)
    said = _run([*command, *flag.split()], tmp_path)
    assert "failed" in said
    assert cause in said


@pytest.mark.parametrize(
    "flag", ["-fstack-protector-all", "-finstrument-functions", "--coverage", "-fprofile-generate"]
)
def test_flags_put_nothing_into_functions_of_assembly(
    flag: str, arm_gcc: str, tmp_path: Path
) -> None:
    """They have no frame for a canary, and every register of theirs is somebody's."""
    kernels = codegen_dir() / "kernels" / "dsp"
    command = [arm_gcc, *core_named("cortex-m4").flags, f"-I{codegen_dir() / 'include'}", "-O2"]
    command += ["-S", str(kernels / "mplan_conv2d_s8_dsp.c"), "-o", "x.s"]
    texts = []
    for flags in ([], [flag]):
        assert "" == _run([*command, *flags], tmp_path)
        text = (tmp_path / "x.s").read_text()
        begin = text.index("\nmplan_pixel_pairs:")
        texts.append(text[begin : text.index(".size\tmplan_pixel_pairs", begin)])
    assert texts[0] == texts[1]


_STRING_H = """
#include <stddef.h>
void *memcpy(void *to, const void *from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "core"),
    [
        ("dsp", "cortex-m4"),
        ("dsp", "cortex-m33"),
        ("fpu", "cortex-m4"),
        ("mve", "cortex-m55"),
        ("scalar", "cortex-m0"),
        ("scalar", "cortex-m3"),
    ],
)
def test_clang_assembles_every_fast_kernel(backend: str, core: str, tmp_path: Path) -> None:
    """Its assembler takes fewer spellings of an instruction than that of GNU."""
    clang = shutil.which("clang")
    if clang is None:
        pytest.skip("clang is not installed")
    (tmp_path / "string.h").write_text(_STRING_H)
    flags = [flag for flag in core_named(core).flags if flag != "-mfpu=auto"]
    command = [clang, "--target=arm-none-eabi", *flags, "-ffreestanding", "-O2"]
    command += ["-I.", f"-I{codegen_dir() / 'include'}", "-c", "-o", "x.o"]
    if core not in {"cortex-m0", "cortex-m3"}:
        command.append("-munaligned-access")
    kernels = sorted((codegen_dir() / "kernels" / backend).glob("*.c"))
    assert kernels
    said = {kernel.name: _run([*command, str(kernel)], tmp_path) for kernel in kernels}
    assert {} == {name: text for name, text in said.items() if text}


@pytest.mark.parametrize("kernel", ["mplan_conv2d_s8_dsp.c", "mplan_planes_s8_dsp.c"])
def test_loops_entered_at_an_address_stop_the_build_with_bti(
    kernel: str, arm_gcc: str, tmp_path: Path
) -> None:
    """No landing pad is where they are entered: the core would fault."""
    headers, source = codegen_dir() / "include", codegen_dir() / "kernels" / "dsp" / kernel
    command = [arm_gcc, *core_named("cortex-m4").flags, f"-I{headers}", "-c", str(source)]
    assert "" == _run([*command, "-o", "x.o"], tmp_path)
    assert "not with BTI" in _run([*command, "-D__ARM_FEATURE_BTI_DEFAULT", "-o", "x.o"], tmp_path)


def test_kernels_of_assembly_are_not_for_a_register_that_interrupts_share(
    arm_gcc: str, tmp_path: Path
) -> None:
    """With -frwpi r9 is the base of data whenever an interrupt comes; other kernels may be used."""
    command = [arm_gcc, *core_named("cortex-m4").flags, f"-I{codegen_dir() / 'include'}"]
    command += ["-D__ARM_RWPI", "-c", "-o", "x.o"]
    kernels = codegen_dir() / "kernels"
    assert "MPLAN_NAKED" in _run([*command, str(kernels / "dsp/mplan_add_s8_dsp.c")], tmp_path)
    assert "" == _run([*command, str(kernels / "c99/mplan_conv2d_s8.c")], tmp_path)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_build_defines_the_extensions_itself(compiler: str, tmp_path: Path) -> None:
    """Each macro for a compiler extension gives way to one of the command line."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    write_files(tiny_bundle().files, tmp_path)
    macros = ["MPLAN_KERNEL=", "MPLAN_SECTION(n)=", "MPLAN_ALIGNED(n)=__attribute__((aligned(n)))"]
    defined = [f"-D{macro}" for macro in macros]
    command = [compiler, *_STRICT, *defined, "-c", "mplan/mplan_conv2d_s8.c", "-o", "x.o"]
    assert "" == _run(command, tmp_path)
    shown = subprocess.run(["nm", "x.o"], cwd=tmp_path, capture_output=True, text=True).stdout
    assert " T mplan_conv2d_s8" in shown


_OPTIONS = """
#define MPLAN_ARENA_ALIGN 32
#define MPLAN_STEP_HOOK(step, ctx) (void)(application_steps++)
extern int application_steps;
"""
_OPTIONS_MAIN = """
#include "tiny.h"

static union {
    tiny_sram_t arena;
    int8_t bytes[sizeof(tiny_sram_t) + 32U];
} room;
int application_steps = 0;

int main(void)
{
    tiny_ctx_t ctx = { &room.arena };
    const int fits = (tiny_invoke(&ctx) == MPLAN_OK) && (application_steps > 3);
    void *const skewed = &room.bytes[SKEW];

    ctx.sram = skewed;
    return (fits && (tiny_invoke(&ctx) == MPLAN_ERR_ALIGN)) ? 0 : 1;
}
"""


@pytest.mark.parametrize("skew", [4, 16])
def test_an_application_sets_the_options_in_its_own_header(
    skew: int, host_gcc: str, tmp_path: Path
) -> None:
    """Alignment and hook of MPLAN_CONFIG_H hold in every file, and arenas are held to it."""
    write_files(tiny_bundle().files, tmp_path)
    (tmp_path / "my_mplan.h").write_text(_OPTIONS)
    (tmp_path / "main.c").write_text(_OPTIONS_MAIN)
    sources = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.c"))
    options = ['-DMPLAN_CONFIG_H="my_mplan.h"', f"-DSKEW={skew}", "-I.", "-Implan"]
    assert "" == _run([host_gcc, *_STRICT, *options, *sources, "-o", "app"], tmp_path)
    assert 0 == subprocess.run([tmp_path / "app"], check=False).returncode


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_the_header_of_options_is_cpp_in_cpp(compiler: str, tmp_path: Path) -> None:
    """It may hold what has no linkage in C, as the headers of an application do."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    write_files(tiny_bundle().files, tmp_path)
    (tmp_path / "my_mplan.h").write_text("template <typename T> T same(T value);\n")
    (tmp_path / "app.cpp").write_text(_APPLICATION)
    options = ['-DMPLAN_CONFIG_H="my_mplan.h"', "-I.", "-c", "app.cpp", "-o", "x.o"]
    assert "" == _run([compiler, *_CPP, *options], tmp_path)


@pytest.mark.parametrize("align", [2, 24])
def test_an_alignment_that_is_none_stops_the_build(
    align: int, host_gcc: str, tmp_path: Path
) -> None:
    """Arenas are aligned to a power of two that is 4 or more."""
    write_files(tiny_bundle().files, tmp_path)
    command = [host_gcc, *_STRICT, f"-DMPLAN_ARENA_ALIGN={align}", "-c", "tiny.c", "-o", "x.o"]
    said = _run(command, tmp_path)
    assert "failed" in said
    assert "align_is_a_power_of_two" in said


def _two_folders(tmp_path: Path) -> list[str]:
    plan = tiny_plan()
    for name in ("one", "two"):
        write_files(emit(plan, name, STAMP).files, tmp_path / name)
    (tmp_path / "main.c").write_text(MAIN)
    return sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.c"))


def test_two_folders_link_together(host_gcc: str, tmp_path: Path) -> None:
    """Two models, each in a folder with its own kernels, make one program; both are right."""
    sources = _two_folders(tmp_path)
    assert 2 == sum(source.endswith("mplan_conv2d_s8.c") for source in sources)
    flags = [*_STRICT, "-fsanitize=address,undefined"]
    command = [host_gcc, *flags, "-Ione", "-Itwo", *sources, "-o", "app"]
    assert "" == _run(command, tmp_path)
    said = subprocess.run([tmp_path / "app"], check=True, capture_output=True, text=True).stdout
    graph = tiny_plan().program.graph
    (tensor,) = (port.tensor for port in graph.outputs)
    ramps = (np.arange(-56, 56), np.arange(55, -57, -1))
    images = [ramp.astype(np.int8).reshape(1, 8, 7, 2) for ramp in ramps]
    want = [evaluate(graph, {"image": x})[tensor].reshape(-1).tolist() for x in images]
    assert 2 * (want[0] + want[1]) == [int(word) for word in said.split()]


def test_kernels_of_two_folders_are_in_the_image_once(arm_gcc: str, tmp_path: Path) -> None:
    """With sections dropped, the second copy of a kernel costs no flash."""
    sources = _two_folders(tmp_path)
    core = core_named("cortex-m4").flags
    common = [arm_gcc, *core, "-Os", "-ffunction-sections", "-fdata-sections", "-Ione", "-Itwo"]
    common += ["--specs=nosys.specs", "--specs=nano.specs", "-Wl,--gc-sections"]
    once = [s for s in sources if not s.startswith("two/mplan")]
    sizes = []
    for chosen in (once, sources):
        said = _run([*common, *chosen, "-o", "app.elf"], tmp_path)
        assert "multiple definition" not in said
        assert not said.startswith("failed")
        tool = arm_gcc.replace("gcc", "size")
        shown = subprocess.run([tool, "app.elf"], cwd=tmp_path, capture_output=True, text=True)
        sizes.append(shown.stdout.splitlines()[1].split()[:3])
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("compiler", ["gcc", "arm-none-eabi-gcc"])
def test_models_of_two_abi_versions_do_not_link(compiler: str, tmp_path: Path) -> None:
    """Where each folder was built on its own, the linker still refuses two versions."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    sources = _two_folders(tmp_path)
    core = [*core_named("cortex-m4").flags, "--specs=nosys.specs"] if compiler != "gcc" else []
    for path in (tmp_path / "two").rglob("*.h"):
        text = path.read_text().replace("MPLAN_ABI_VERSION 1", "MPLAN_ABI_VERSION 2")
        path.write_text(text.replace("MPLAN_ABI_VERSION != 1", "MPLAN_ABI_VERSION != 2"))
    together = _run([compiler, *core, "-Ione", "-Itwo", *sources, "-o", "app"], tmp_path)
    assert "generated for another version" in together
    objects = []
    for source in sources:
        if source != "main.c":
            objects.append(source.replace("/", "_") + ".o")
            command = [compiler, *core, f"-I{source[:3]}", "-c", source, "-o", objects[-1]]
            assert "" == _run(command, tmp_path)
    (tmp_path / "empty.c").write_text("int main(void) { return 0; }\n")
    said = _run([compiler, *core, "empty.c", *objects, "-o", "app"], tmp_path)
    assert "mplan_abi_version" in said
