# SPDX-License-Identifier: Apache-2.0
"""Bundles on emulated cores: outputs, counts, faults."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import tiny

from mcuplan.errors import ToolFailed
from mcuplan.memory_system import MemorySystem
from mcuplan.prove.api import DeadBytes
from mcuplan.prove.cores import CORES
from mcuplan.prove.elf import read_elf
from mcuplan.prove.emulator import (
    CallCount,
    EmulatorRun,
    board_arguments,
    count_calls,
    run_machine,
    run_on_core,
    total,
)
from mcuplan.prove.harness import Hook, build_for_core
from mcuplan.prove.measure import measure_image
from mcuplan.prove.stack import bound_stack
from mcuplan.prove.toolchain import Compiler, run_tool

BOOTED = [
    "cortex-m0",
    "cortex-m0plus",
    "cortex-m3",
    "cortex-m4",
    "cortex-m7",
    "cortex-m33",
    "cortex-m55",
]


@pytest.mark.parametrize("core", BOOTED)
def test_every_core(core: str, arm: Compiler, counter: Path, tmp_path: Path) -> None:
    """Every core boots, computes the same bytes, and uses no more stack than the bound."""
    image = build_for_core(tiny.bundle(), tiny.API, tmp_path, CORES[core], arm)
    a, b = tiny.samples(3)

    run = run_on_core(image, (a, b), counter=counter)

    assert np.array_equal(tiny.expected(a, b)[1], run.outputs[0])
    assert 40 < run.stack_bytes <= bound_stack(image).nbytes
    assert 3 == len(run.calls)
    assert bool(CORES[core].timing) == (run.slowest.total.cycles is not None)
    report = measure_image(image)
    assert [124, 48] == [arena.nbytes for arena in report.arenas]
    assert 0 == report.data_bytes


def _counted(
    tmp_path: Path, arm: Compiler, counter: Path, hook: Hook, dead: tuple[DeadBytes, ...] = ()
) -> EmulatorRun:
    tmp_path.mkdir()
    core = CORES["cortex-m4"]
    image = build_for_core(tiny.bundle(), tiny.API, tmp_path, core, arm, hook=hook, dead=dead)
    return run_on_core(image, tiny.samples(2), counter=counter)


def _sum(call: CallCount) -> tuple[int, int]:
    parts = (*call.steps, call.rest)
    return sum(p.instructions for p in parts), sum(p.cycles or 0 for p in parts)


def test_steps_add_up(arm: Compiler, counter: Path, tmp_path: Path) -> None:
    """Steps and rest sum to the call, functions too, and the hook hardly adds to it."""
    hooked = _counted(tmp_path / "hooked", arm, counter, Hook.COUNT).slowest
    plain = _counted(tmp_path / "plain", arm, counter, Hook.NONE).slowest

    assert (hooked.total.instructions, hooked.total.cycles) == _sum(hooked)
    assert hooked.total.instructions == sum(f.count.instructions for f in hooked.functions)
    assert hooked.steps[0].instructions > 5 * hooked.steps[1].instructions > 0
    assert 0 <= hooked.total.instructions - plain.total.instructions <= 4 * len(hooked.steps)
    assert "mplan_mix_s8" == plain.functions[0].name


def test_spoiling_is_not_counted(arm: Compiler, counter: Path, tmp_path: Path) -> None:
    """Overwriting dead bytes between the steps changes no count, and bytes that are needed."""
    hooked = _counted(tmp_path / "hooked", arm, counter, Hook.COUNT)
    dead = (DeadBytes(0, "sram", 1, 39),)
    spoiled = _counted(tmp_path / "spoiled", arm, counter, Hook.COUNT, dead)
    needed = (DeadBytes(0, "sram", 2 * tiny.WIDTH, 1),)
    wrong = _counted(tmp_path / "wrong", arm, counter, Hook.COUNT, needed)

    assert hooked.slowest.steps == spoiled.slowest.steps
    assert np.array_equal(hooked.outputs[0], spoiled.outputs[0])
    assert not np.array_equal(hooked.outputs[0], wrong.outputs[0])


def test_dumps(arm: Compiler, tmp_path: Path) -> None:
    """Tensors kept after steps come back from the emulated core, too."""
    core = CORES["cortex-m4"]
    image = build_for_core(
        tiny.bundle(), tiny.API, tmp_path, core, arm, hook=Hook.DUMP, dumps=tiny.DUMPS
    )
    a, b = tiny.samples(3)

    run = run_on_core(image, (a, b))

    for expected, dump in zip(tiny.expected(a, b), run.dumps, strict=True):
        assert np.array_equal(expected, dump)


_UNALIGNED = """    const volatile int8_t *volatile at = input + 1;
    output[0] = (int8_t)*(const volatile int32_t *)(const volatile void *)at;"""


def test_m0plus_faults_on_unaligned_reads(arm: Compiler, tmp_path: Path) -> None:
    """An unaligned word read faults in the M0+ image, where the function is named, not on M4."""
    files = tiny.bundle(kernel=tiny.kernel_calling(_UNALIGNED))
    images = []
    for name in ("cortex-m0plus", "cortex-m4"):
        (tmp_path / name).mkdir()
        images.append(build_for_core(files, tiny.API, tmp_path / name, CORES[name], arm))

    with pytest.raises(ToolFailed, match=r"took a fault(?s:.)*cfsr=0x01000000") as caught:
        run_on_core(images[0], tiny.samples(1))
    assert "mplan_turn_s8" == caught.value.where
    run_on_core(images[1], tiny.samples(1))


def test_stack_overflow_is_noticed(arm: Compiler, tmp_path: Path) -> None:
    """A call that needs more stack than the image has is an error, not a wrong figure."""
    body = """    volatile int8_t large[70000];
    for (size_t i = 0U; i < sizeof large; i++) {
        large[i] = input[i % 40U];
    }
    output[0] = large[0];"""
    files = tiny.bundle(kernel=tiny.kernel_calling(body))
    image = build_for_core(files, tiny.API, tmp_path, CORES["cortex-m4"], arm)

    with pytest.raises(ToolFailed, match="whole stack"):
        run_on_core(image, tiny.samples(1))


# Cortex-M4 TRM r0p1, tables 3-1 and 7-1; refill of a taken branch 2, division 6.
_TIMED = {
    "nop": 1,
    "ldr r1, [r0]": 2,
    "ldr r1, [r0]; ldr r2, [r0, #4]; ldrsb.w r3, [r0, #8]": 4,
    "ldr r1, [r0]; add r1, r1; ldr.w r2, [r0, #4]": 5,
    "ldr r1, [r0]; str r1, [sp, #-4]": 3,
    "ldm r0, {r1, r2, r3}": 4,
    "ldm.w r0, {r1, r2, r3, r12}": 5,
    "push {r4, r5}; pop {r4, r5}": 6,
    "ldrd r1, r2, [r0]": 3,
    "mov r1, #1; udiv r2, r1, r1": 7,
    "smull r1, r2, r0, r0; smlal r1, r2, r0, r0": 2,
    "mla r1, r0, r0, r0; smlad r1, r0, r0, r1; smmulr r1, r0, r0": 3,
    "sxtb16 r1, r0, ror #8; pkhbt r1, r0, r0; ssat r1, #8, r0": 3,
    "movs r1, #2; 1: subs r1, #1; bne 1b": 1 + 2 + 2 + 2,
    "b.n 1f; nop; 1:": 3,
    "b.w 1f; nop; 1:": 3,
    "cmp r0, #0; beq.w 1f; nop; 1:": 3,
    "cbz r0, 1f; nop; 1:": 2,
    "mov r1, #0; cbz r1, 1f; nop; 1:": 4,
    "vldr s0, [r0]; vldr d1, [r0]": 5,
    "vmov.f32 s0, #1.0; vmla.f32 s1, s0, s0; vdiv.f32 s1, s0, s0": 18,
    "vmov.f32 s0, #1.0; vadd.f32 s1, s0, s0; vsqrt.f32 s1, s0": 16,
    "ldrb r1, [r0, #1]; ldrh.w r2, [r0, r1, lsl #1]; strb r1, [sp, #-4]": 4,
}
# Two of four beats in a cycle; vectors of different units overlap (codegen/harness/timing.h).
_BEATS = {
    "ldr r1, [r0]; ldrd r2, r3, [r0]; add r1, r1": 3,
    "ldm r0, {r1, r2, r3}": 2,
    "vldrb.8 q0, [r0]; vmladava.s8 r2, q0, q1; vldrb.8 q1, [r0]; vmladava.s8 r2, q0, q1": 4,
    "vldrb.8 q0, [r0]; vldrb.8 q1, [r0]; vldrb.s32 q2, [r0]": 5,
    "vmladava.s8 r2, q0, q1; vmladav.s16 r2, q0, q1; vmlaldava.s32 r2, r3, q0, q1": 5,
    "vrmulh.s32 q0, q0, q1; vadd.i32 q2, q1, r0": 2,
    "vrmulh.s32 q0, q0, q1; vadd.i32 q0, q0, r0": 3,
    "vmla.s32 q0, q1, r0; vshl.s32 q1, r0; vmul.i32 q2, q1, q1; vmax.s8 q3, q3, q1": 4,
    "vaddv.s32 r2, q0; vqmovnb.s32 q0, q1; vshr.s32 q1, q1, #3; vand q0, q0, q0": 7,
    "vmov q0[2], q0[0], r0, r0; vdup.32 q0, r0; vmov d0, r0, r0": 3,
    "mov r2, #0; vidup.u32 q0, r2, #1; vldrw.u32 q1, [r0, q0, uxtw #2]": 3,
    "vmov.i32 q0, #1; vldrb.u16 q1, [r0, q0]; vldrb.8 q2, [r0]": 1 + 3 + 1 + 1,
    "mov r12, lr; mov r2, #3; dls lr, r2; 1: add r1, r1; le lr, 1b; mov lr, r12": 3 + 3 + 1,
    "vctp.8 r0; vpst; vldrbt.8 q0, [r0]": 3,
}
_RETURN_CYCLES = 3


@pytest.mark.parametrize(("core", "timed"), [("cortex-m4", _TIMED), ("cortex-m55", _BEATS)])
def test_cycles_are_the_manual_s(
    core: str, timed: dict[str, int], arm: Compiler, counter: Path, tmp_path: Path
) -> None:
    """Short instruction sequences cost what the timings of the core say."""
    functions = "".join(
        f"__attribute__((naked, noinline)) static void timed_{index}(const void *at)\n"
        f'{{\n    (void)at;\n    __asm volatile("{code}; bx lr");\n}}\n'
        for index, code in enumerate(timed)
    )
    calls = "".join(f"    timed_{index}(space);\n" for index in range(len(timed)))
    space = "    static const int32_t space[16] = { 1 };\n"
    kernel = tiny.kernel_calling(space + calls + "    output[0] = input[0];")
    kernel = kernel.replace("void mplan_mix", functions + "void mplan_mix", 1)
    files = tiny.bundle(kernel=kernel)
    image = build_for_core(files, tiny.API, tmp_path, CORES[core], arm)

    counted = {
        f.name: f.count.cycles
        for f in run_on_core(image, tiny.samples(1), counter=counter).slowest.functions
    }

    found = {code: (counted[f"timed_{i}"] or 0) - _RETURN_CYCLES for i, code in enumerate(timed)}
    assert found == timed


_RULES = {  # behind a call, whose branch to an address in the instruction saves a cycle
    "nop": -1,
    "str r1, [r0]; ldr r2, [r0]": 0,
    "str r1, [r0]; nop; ldr r2, [r0]": -1,
    "movs r2, #4; str r1, [r0, r2]": 0,
    "ldr r2, [r0, #3]": 0,
    "ldrh r2, [r0, #2]": -1,
    "nop; b 1f; nop; 1: nop": -2,
    "nop; .balign 4; nop; add.w r3, r3, r3; add.w r3, r3, r3; add.w r3, r3, r3; nop": 0,
    "nop; .balign 4; add.w r3, r3, r3; add.w r3, r3, r3; add.w r3, r3, r3; nop": -1,
    "adr r3, 1f; b 1f; .balign 4; nop; 1: add.w r3, r3, r3": -1,
    "adr r3, 1f; nop; ldr r2, [r0]; ldr r3, [r3]; .balign 4; 1: nop; nop": 0,
    "ldr r2, [r0]; ldr r3, [r0, #4]; nop; nop": -1,
}


def test_rules_of_the_pipeline(arm: Compiler, counter: Path, tmp_path: Path) -> None:
    """Short sequences cost what the rules say, on a flash that never waits."""
    functions = "".join(
        f"__attribute__((naked, noinline, aligned(4))) static void ruled_{index}(void *at)\n"
        f'{{\n    (void)at;\n    __asm volatile("nop; {code}; bx lr");\n}}\n'
        for index, code in enumerate(_RULES)
    )
    calls = "".join(f"    ruled_{index}(space);\n" for index in range(len(_RULES)))
    space = "    int32_t space[4] = { 1, 2, 3, 4 };\n"
    kernel = tiny.kernel_calling(f"{space}{calls}    output[0] = input[0];")
    kernel = kernel.replace("void mplan_mix", functions + "void mplan_mix", 1)
    core = CORES["cortex-m4"]
    image = build_for_core(tiny.bundle(kernel=kernel), tiny.API, tmp_path, core, arm)
    memory = MemorySystem(0, 16, 16, rules=True)

    run = run_on_core(image, tiny.samples(1), counter, memory)

    counted = {f.name: f.count.stalls.rules for f in run.slowest.functions}
    found = {code: counted[f"ruled_{index}"] for index, code in enumerate(_RULES)}
    assert found == _RULES


@pytest.fixture(scope="module")
def m4count(host_gcc: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of the m4count tool, and its plugin, compiled once."""
    folder = os.environ.get("MCUPLAN_TEST_M4COUNT")
    if not folder:
        pytest.skip("MCUPLAN_TEST_M4COUNT does not name the folder of the m4count tool")
    made = tmp_path_factory.mktemp("m4count") / "m4count.so"
    flags = ["-O2", "-shared", "-fPIC", "-w"]
    run_tool([host_gcc, *flags, "-o", str(made), f"{folder}/m4count.c"], made.parent)
    return Path(folder), made


def _figures_of_m4count(
    plugin: Path, work: Path, program: str, begin: str, end: str, board: str = ""
) -> dict[str, int]:
    told = f"{plugin},begin={begin},end={end},out=m4count.txt{board}"
    run_machine("mps2-an386", PurePosixPath(program), work, told)
    text = (work / "m4count.txt").read_text()
    return {name: int(n) for name, n in re.findall(r"(?m)^(\w+_per_run) (\d+)$", text)}


_BOARDS = {  # as m4count names the figures
    "L4+": (5, 32, 16, 32, 8, 1),
    "L4+ without prefetch": (5, 32, 16, 32, 8, 0),
    "L4+ of two banks": (5, 32, 8, 32, 8, 1),
    "F4": (5, 16, 16, 64, 8, 1),
    "F1": (2, 8, 8, 0, 0, 1),
}


@pytest.mark.parametrize("board", ["", *_BOARDS])
@pytest.mark.parametrize("example", ["pointwise", "depthwise", "winograd"])
def test_agrees_with_m4count(
    example: str,
    board: str,
    m4count: tuple[Path, Path],
    arm: Compiler,
    counter: Path,
    tmp_path: Path,
) -> None:
    """Counts of foreign programs agree with another counter's: 0.5 %, on boards 2 %."""
    tool, plugin = m4count
    flags = ["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "-O2", "-w"]
    sources = [str(tool / "examples" / f"{example}.c"), str(tool / "start.c")]
    link_flags = ["-nostartfiles", "-T", str(tool / "link.ld"), "-o", "image.elf"]
    run_tool([arm.path, *flags, *sources, *link_flags], tmp_path)
    elf = read_elf(tmp_path / "image.elf")
    begin, end = (hex(elf.find(name).address) for name in ("m_begin", "m_end"))
    flash, told = {}, ""
    if board:
        waits, line, read, code, data, ahead = _BOARDS[board]
        memory = MemorySystem(waits, read, line, code, data, prefetch=bool(ahead), rules=True)
        flash = board_arguments(memory, CORES["cortex-m4"])
        told = f",ws={waits},line={line},fill={read},ilines={code},dlines={data},prefetch={ahead}"
    theirs = _figures_of_m4count(plugin, tmp_path, "image.elf", begin, end, told)

    calls = count_calls(
        "mps2-an386",
        PurePosixPath("image.elf"),
        tmp_path,
        counter,
        {"begin": begin, "end": end, "core": "m4", **flash},
    )

    ours = total([call.total for call in calls])
    assert theirs["insns_per_run"] == pytest.approx(ours.instructions / len(calls), rel=0.005)
    assert theirs["cycles_per_run"] == pytest.approx((ours.cycles or 0) / len(calls), rel=0.005)
    if board:
        cycles = ((ours.cycles or 0) + ours.stalls.cycles) / len(calls)
        assert theirs["board_cycles_per_run"] == pytest.approx(cycles, rel=0.02)
        assert min(ours.stalls.code, ours.stalls.constants) > 0
        assert ours.stalls.mixed >= 0
