# SPDX-License-Identifier: Apache-2.0
"""Sizes and stack of a bundle in the linked image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny

from mcuplan.errors import StackUnknown, ToolFailed
from mcuplan.prove.cores import CORES
from mcuplan.prove.elf import Kind, read_elf
from mcuplan.prove.emulator import run_on_core
from mcuplan.prove.harness import CoreImage, Hook, build_for_core
from mcuplan.prove.linkmap import Piece, read_link_map
from mcuplan.prove.measure import ImageReport, measure_image
from mcuplan.prove.stack import bound_stack
from mcuplan.prove.toolchain import Compiler

_PLAIN = "    output[0] = input[0];"


def _build(
    tmp_path: Path, arm: Compiler, kernel: str, core: str = "cortex-m4", access: str = "7"
) -> CoreImage:
    files = tiny.bundle(access, kernel)
    return build_for_core(files, tiny.API, tmp_path, CORES[core], arm)


def _constants(report: ImageReport) -> dict[str, int]:
    return {s.name: s.nbytes for s in report.symbols if s.kind is Kind.RODATA}


def test_constants_to_the_byte(arm: Compiler, tmp_path: Path) -> None:
    """Named constants have their C sizes; padding between them is the linker's, counted apart."""
    table = "    static const int16_t table[3] = { 1, 2, 3 };\n"
    pick = "    output[0] = (int8_t)table[(uint8_t)input[0] % 3U];"
    image = _build(tmp_path, arm, tiny.kernel_calling(table + pick))

    report = measure_image(image)

    sizes = _constants(report)
    assert {"weights": 41, "biases": 20} == {n: sizes[n] for n in ("weights", "biases")}
    (table_name,) = set(sizes) - {"weights", "biases"}
    assert table_name.startswith("table")
    assert 67 == report.constants_bytes
    assert 0 == report.unnamed_constants_bytes
    # table (6 bytes) comes first and biases (aligned to 4) behind it
    assert 2 == report.constants_padding_bytes
    assert {"tiny.o", "mplan/mplan_mix_s8.o"} == {s.object for s in report.symbols}


def test_code_is_the_functions(arm: Compiler, tmp_path: Path) -> None:
    """Code bytes are the rounded sizes of the functions; an M4 needs no library here."""
    report = measure_image(_build(tmp_path, arm, tiny.kernel_calling(_PLAIN)))

    functions = [s.nbytes for s in report.symbols if s.kind is Kind.TEXT]
    assert 0 <= report.code_bytes - sum(functions) <= 2 * len(functions)
    assert () == report.library


def test_unnamed_constants_are_seen(arm: Compiler, tmp_path: Path) -> None:
    """A string that the compiler puts into a section of its own is counted, without a name."""
    body = (
        '    const char *volatile text = "thirteen byte";\n    output[0] = (int8_t)text[input[0]];'
    )

    report = measure_image(_build(tmp_path, arm, tiny.kernel_calling(body)))

    assert 61 == report.constants_bytes
    assert 14 == report.unnamed_constants_bytes


def test_variables_are_seen(arm: Compiler, tmp_path: Path) -> None:
    """A variable that keeps its value between calls shows in the data bytes."""
    body = "    static int32_t calls = 5;\n    static int32_t more;\n    calls++;\n"
    body += "    more += calls;\n    output[0] = (int8_t)(input[0] + more);"

    report = measure_image(_build(tmp_path, arm, tiny.kernel_calling(body)))

    assert 8 == report.data_bytes


def test_library_members(arm: Compiler, tmp_path: Path) -> None:
    """A core without divide pulls in library code only where the bundle divides."""
    plain, divides = tmp_path / "plain", tmp_path / "divides"
    plain.mkdir()
    divides.mkdir()
    body = "    output[0] = (int8_t)(input[0] / input[1]);"
    kernel = tiny.kernel_calling(body)
    without = kernel[: kernel.index("    int8_t copy[40]")] + (
        "    output[0] = (int8_t)(a[0] + b[0] + weights[0] + biases[0]);\n}\n"
        "void mplan_turn_s8(const int8_t *input, int8_t *output)\n{\n" + _PLAIN + "\n}\n"
    )

    assert () == measure_image(_build(plain, arm, without, "cortex-m0plus")).library
    report = measure_image(_build(divides, arm, kernel, "cortex-m0plus"))
    assert "libgcc.a(_divsi3.o)" in [member.name for member in report.library]
    assert 100 < report.library_bytes < 2000


def test_hooked_images_are_not_measured(arm: Compiler, tmp_path: Path) -> None:
    """Sizes and stack of an image with a step hook are refused: they are not the product's."""
    core = CORES["cortex-m4"]
    image = build_for_core(tiny.bundle(), tiny.API, tmp_path, core, arm, hook=Hook.COUNT)

    with pytest.raises(ValueError, match="hook"):
        measure_image(image)
    with pytest.raises(ValueError, match="hook"):
        bound_stack(image)


def test_same_bytes_anywhere(arm: Compiler, tmp_path: Path) -> None:
    """The image and its map do not depend on the folder they are built in."""
    images = []
    for name in ("a", "another, longer name"):
        (tmp_path / name).mkdir()
        images.append(_build(tmp_path / name, arm, tiny.kernel_calling(_PLAIN)))

    for file in ("program", "link_map"):
        first, second = ((image.work / getattr(image, file)).read_bytes() for image in images)
        assert first == second


def test_stack_path(arm: Compiler, tmp_path: Path) -> None:
    """The bound adds the frames along the deepest chain of calls, libraries included."""
    body = "    output[0] = (int8_t)((int64_t)input[0] / ((int64_t)input[1] << input[2]));"
    image = _build(tmp_path, arm, tiny.kernel_calling(body))

    bound = bound_stack(image)
    kernel = bound_stack(image, "mplan_turn_s8")

    assert ("tiny_invoke", "mplan_mix_s8") == bound.path[:2]
    assert ("mplan_turn_s8", "__aeabi_ldivmod") == kernel.path[:2]
    assert 0 < kernel.nbytes < bound.nbytes


_SWITCH = """    int32_t v = input[0];
    switch (input[1] & 7) {
    case 0: v = 3; break;
    case 1: v *= 7; break;
    case 2: v = mplan_clamp(v, 1, 2); break;
    case 3: v ^= 0x55; break;
    case 4: memset(output, v, 40); break;
    case 5: v = v * v; break;
    default: v = 1; break;
    }
    output[0] = (int8_t)v;"""
_DIVIDE = (
    "    output[0] = (int8_t)((int64_t)input[0] / ((int64_t)(input[1] | 1) << (input[2] & 7)));"
)
_FLOAT = "    output[0] = (int8_t)((float)input[0] * 0.37f + (float)input[1] / 3.3f);"
_LARGE = """    volatile int8_t copy[1500];
    for (size_t i = 0U; i < 1500U; i++) {
        copy[i] = input[i % 40U];
    }
    output[0] = copy[(uint8_t)input[0]];"""
_ASSEMBLY = """    __asm volatile("push {r4, r5, r6, r7}\\n sub sp, #24\\n str r4, [sp]\\n"
                   "add sp, #24\\n pop {r4, r5, r6, r7}" ::: "memory");
    output[0] = input[0];"""


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
@pytest.mark.parametrize("body", [_SWITCH, _DIVIDE, _FLOAT, _LARGE, _ASSEMBLY])
def test_bound_holds(body: str, core: str, arm: Compiler, tmp_path: Path) -> None:
    """Jump tables, libraries, assembly, large frames are bounded, never below what a run uses."""
    image = _build(tmp_path, arm, tiny.kernel_calling(body), core)

    bound = bound_stack(image).nbytes

    measured = run_on_core(image, tiny.samples(20)).stack_bytes
    assert measured <= bound <= measured + 32


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m55"])
def test_pushes_of_assembly_are_added(core: str, arm: Compiler, tmp_path: Path) -> None:
    """What assembly pushes, which frames of the compiler do not say, comes on top of them."""
    bounds = []
    for name, body in (("without", _PLAIN), ("with", _ASSEMBLY)):
        (tmp_path / name).mkdir()
        image = _build(tmp_path / name, arm, tiny.kernel_calling(body), core)
        bounds.append(bound_stack(image, "mplan_turn_s8").nbytes)
    assert 16 + 24 == bounds[1] - bounds[0]


def test_frames_are_the_compiler_s(arm: Compiler, tmp_path: Path) -> None:
    """Each function of a bundle has call-frame information, and it ends as deep as it began."""
    image = _build(tmp_path, arm, tiny.kernel_calling(_DIVIDE))
    elf = read_elf(image.work / image.program)
    for name in ("tiny_invoke", "mplan_mix_s8", "mplan_turn_s8"):
        frame = elf.frames[elf.find(name).address]
        assert 0 == frame.rows[0][1]
        assert 0 < frame.nbytes < 200
        assert None is frame.depth_at(elf.find(name).address + elf.find(name).nbytes)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "    if (input[0] > 0) {\n        mplan_turn_s8(input + 1, output);\n"
            "        output[0]++;\n    }",
            "recursion",
        ),
        (
            "    int8_t *(*volatile call)(int8_t *) = NULL;\n    *call(output) = input[0];",
            "call through a pointer",
        ),
        (
            "    volatile int8_t copy[input[0] & 63];\n    copy[0] = 1;\n    output[0] = copy[0];",
            "no fixed size",
        ),
        (
            '    __asm volatile("sub sp, sp, %0\\n add sp, sp, %0" : : "r"(input[0] & 8));\n'
            "    output[0] = input[0];",
            "no fixed size",
        ),
    ],
)
def test_unbounded_stack(body: str, message: str, arm: Compiler, tmp_path: Path) -> None:
    """Recursion, a call through a pointer and an array of varying size are named, never guessed."""
    image = _build(tmp_path, arm, tiny.kernel_calling(body))

    with pytest.raises(StackUnknown, match=message):
        bound_stack(image)


def test_elf_kinds(arm: Compiler, tmp_path: Path) -> None:
    """Symbols carry the kind of their section; addresses have no Thumb bit."""
    image = _build(tmp_path, arm, tiny.kernel_calling(_PLAIN))
    elf = read_elf(image.work / image.program)

    invoke = elf.find("tiny_invoke")
    assert (Kind.TEXT, True, 0) == (invoke.kind, invoke.is_function, invoke.address % 2)
    assert Kind.RODATA is elf.find("weights").kind
    assert Kind.BSS is elf.find("mplan_test_sram").kind
    assert "tiny_invoke" == elf.function_at(invoke.address + 4)


def test_damaged_images_are_refused(arm: Compiler, tmp_path: Path) -> None:
    """Whatever is broken in an image, it is read, or named as damaged: no other error."""
    image = _build(tmp_path, arm, tiny.kernel_calling(_PLAIN))
    whole = (image.work / image.program).read_bytes()
    rng = np.random.Generator(np.random.PCG64(3))
    damaged = [whole[: len(whole) * i // 20] for i in range(20)]
    for _ in range(40):
        broken = np.frombuffer(whole, np.uint8).copy()
        places = rng.integers(0, len(whole), 30)
        broken[[*places, *rng.integers(16, 52, 2)]] = rng.integers(0, 256, 32)
        damaged.append(broken.tobytes())
    refused = 0
    for data in damaged:
        (tmp_path / "damaged.elf").write_bytes(data)
        try:
            read_elf(tmp_path / "damaged.elf")
        except ToolFailed:
            refused += 1
    assert 20 <= refused < len(damaged)


def test_link_map_lines() -> None:
    """Long names, fills and library members of a map are read; discarded sections are not."""
    text = """Discarded input sections

 .text.gone     0x00000000       0x10 obj/bundle/kws.o

Linker script and memory map

.rodata         0x00000200       0x60
 .rodata.a      0x00000200        0x3 obj/bundle/kws.o
 *fill*         0x00000203        0x1 
 .rodata.a_long_name_of_a_table
                0x00000204       0x10 obj/bundle/kws.o
 .rodata.empty  0x00000214        0x0 obj/bundle/kws.o
 .rodata        0x00000214        0x4 /usr/lib/libgcc.a(_clz.o)
"""

    assert (
        Piece(".rodata.a", "obj/bundle/kws.o", 0x200, 3, 0),
        Piece(".rodata.a_long_name_of_a_table", "obj/bundle/kws.o", 0x204, 16, 1),
        Piece(".rodata", "libgcc.a(_clz.o)", 0x214, 4, 0),
    ) == read_link_map(text)
