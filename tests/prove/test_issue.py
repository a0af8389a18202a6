# SPDX-License-Identifier: Apache-2.0
"""The models of a Cortex-M33 and a Cortex-M7, sequence by sequence."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mcuplan.prove.toolchain import Compiler
from mcuplan.resources import codegen_dir

# Sequences, and the cycles that chips were measured to take (codegen/harness/issue.h).
_M33 = [
    ("add r0, r1; add r2, r3; add r4, r5", 3),
    ("ldr r0, [r1]; add r2, r0, r0", 3),  # a load is there a cycle later
    ("ldr r0, [r1]; add r3, r3, r3; add r2, r0, r0", 3),
    ("ldr r0, [r1]; str r0, [r2]", 2),
    ("ldr r0, [r1]; smlad r2, r3, r4, r0", 2),  # but at once for a sum
    ("ldr r0, [r1]; smlad r2, r0, r4, r3", 3),
    ("ldmia r6!, {r0-r3}", 4),
    ("ldmia r6!, {r0-r3}; add r0, r0, r0", 4 + 1),
    ("ldmia r6!, {r0-r3}; add r4, r3, r3", 4 + 2),
    ("ldrd r0, r1, [r2]", 2),
    ("strb r0, [r1], #1; strb r2, [r1], #1", 2),
    ("smlad r0, r1, r2, r0; smlad r0, r3, r4, r0", 2),
    ("smlad r0, r1, r2, r0; add r3, r0, r0", 3),
    ("sxtab16 r0, r1, r2; smlad r3, r0, r4, r3", 3),
    ("sxtb16 r0, r2; smlad r3, r0, r4, r3", 2),
    ("add r0, r1, r2, lsl #2; add r3, r0, r0", 3),
    ("lsl r0, r1, #2; add r3, r0, r0", 2),
    ("muls r0, r1", 2),
    ("mul r0, r1, r2", 1),
    ("eors r0, r1, #0x1fc0", 2),
    ("subs r7, #1; bne ahead", 3),
    ("subs r7, #1; add r0, r1; bne ahead", 3),
    ("subs r7, #1; add r0, r1; bne.w ahead", 4),
    ("bx lr", 2),
    ("vfma.f32 s0, s1, s2; vfma.f32 s0, s3, s4", 4),
]
_M7 = [
    ("add r0, r1, r1; add r2, r3, r3; add r4, r5, r5; add r6, r7, r7", 2),
    ("add r0, r1, r1; add r2, r0, r0", 1),  # additions are forwarded
    ("and r0, r1, r1; and r2, r0, r0", 2),
    ("and r0, r1, r1; add r2, r3, r0, lsl #1", 3),  # what is shifted is needed earlier
    ("smlad r0, r1, r2, r0; smlad r3, r4, r5, r3", 2),
    ("smlad r0, r1, r2, r0; smlad r0, r4, r5, r0; smlad r0, r4, r5, r0", 3),
    ("smlad r0, r1, r2, r0; add r3, r0, r0", 3),
    ("ldr r0, [r1]; add r2, r3, r3", 1),
    ("ldr r0, [r1]; and r2, r0, r0", 2),
    ("ldrb r0, [r1]; and r2, r0, r0", 3),
    ("ldr r0, [r1]; smlad r2, r0, r4, r3", 3),
    ("ldr r0, [r1]; smlad r2, r4, r5, r0", 2),
    ("ldr r0, [r1]; ldr r2, [r1, #4]", 1),  # of two banks
    ("ldr r0, [r1]; ldr r2, [r1, #8]", 2),
    ("ldr r0, [r1], #4; ldr r2, [r1], #4", 2),
    ("ldr r0, [r1]; str r0, [r2]", 1),
    ("str r0, [r1]; str r2, [r3]", 2),
    ("str r0, [r1]; smlad r2, r3, r4, r2", 2),
    ("sxtb16 r0, r1; sxtb16 r2, r3", 2),
    ("sxtb16 r0, r1; smlad r2, r3, r4, r2", 1),
    ("smlad r2, r3, r4, r2; sxtb16 r0, r1", 2),  # it starts first or alone
    ("add r0, r1, r2, lsl #2; add r3, r4, r5, lsl #2", 2),
    ("sxtb16 r0, r1; add r3, r4, r5, lsl #2", 2),
    ("ldmia r6!, {r0-r3}", 2),
    ("ldmia r6!, {r0-r2}; add r4, r5, r5", 3),
    ("vfma.f32 s0, s1, s2; vfma.f32 s3, s4, s5", 2),
    ("subs r7, #1; bne ahead", 1 + 8),  # never seen before, forwards: wrong
    ("subs r7, #1; bne back", 1),  # backwards: right
    ("bl ahead", 1),
]
_MAIN = """#include <stdio.h>
#include "issue.h"
static const unsigned short code[] = { %s };
int main(void)
{
    const timing_core_t core = %s;
    operands_t read[64];
    uint64_t count = 0U, cycles, start = 0x1000U;
    int last;
    for (size_t i = 0U; i < sizeof code / sizeof code[0]; count++) {
        read[count] = operands_of(code[i], (i + 1U < sizeof code / 2U) ? code[i + 1U] : 0U);
        i += read[count].size / 2U;
    }
    issue_clear();
    cycles = issue_block(core, read, count, start, false);
    last = read[count - 1U].does == DOES_BRANCH;
    cycles += issue_block(core, read, 0U, %s, last != 0);
    printf("%%d\\n", (int)cycles);
    return 0;
}
"""


@pytest.mark.parametrize(
    ("core", "cpu", "sequences"),
    [
        ("TIMING_M33", ("cortex-m33", "fpv5-sp-d16"), _M33),
        ("TIMING_M7", ("cortex-m7", "fpv5-d16"), _M7),
    ],
)
def test_sequences_take_what_was_measured(
    core: str,
    cpu: tuple[str, str],
    sequences: list[tuple[str, int]],
    arm: Compiler,
    host: Compiler,
    tmp_path: Path,
) -> None:
    """Each sequence takes the cycles that were measured on chips."""
    harness = codegen_dir() / "harness"
    names = ("issue.c", "issue_m33.c", "issue_m7.c", "operands.c", "operands16.c")
    objects = [f"{name}.o" for name in names]
    for name, made in zip(names, objects, strict=True):
        _run([host.path, "-c", str(harness / name), "-o", made], tmp_path)
    found = []
    for k, (text, _) in enumerate(sequences):
        words = _assembled(text, cpu, arm, tmp_path)
        target = "0x800U" if "back" in text else "0x2000U"
        listed = ", ".join(f"0x{word:04x}" for word in words)
        (tmp_path / f"m{k}.c").write_text(_MAIN % (listed, core, target), encoding="ascii")
        _run([host.path, f"-I{harness}", f"m{k}.c", *objects, "-o", f"m{k}"], tmp_path)
        found.append((text, int(_run([str(tmp_path / f"m{k}")], tmp_path))))

    assert sequences == found, [(w, f[1]) for w, f in zip(sequences, found, strict=True) if w != f]


def _assembled(text: str, cpu: tuple[str, str], arm: Compiler, folder: Path) -> list[int]:
    lines = text.replace(";", "\n").replace("ahead", ".+64").replace("back", ".-64")
    source = f".syntax unified\n.cpu {cpu[0]}\n.fpu {cpu[1]}\n.thumb\n{lines}\n"
    (folder / "s.s").write_text(source, encoding="ascii")
    _run([arm.path, f"-mcpu={cpu[0]}", "-mthumb", "-c", "s.s", "-o", "s.o"], folder)
    dump = _run([arm.objdump, "-d", "s.o"], folder)
    words: list[int] = []
    for line in dump.splitlines():
        parts = line.split("\t")
        if len(parts) > 2:
            words += [int(word, 16) for word in parts[1].split()]
    return words


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout
