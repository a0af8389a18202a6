# SPDX-License-Identifier: Apache-2.0
"""Runs a test image on an emulated core, and counts what it executes.

Instructions are exact. Cycles are estimates from the timing table of the core's manual at
zero wait states; they exist for Cortex-M3 and Cortex-M4 only.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from mcuplan.errors import ToolFailed
from mcuplan.memory_system import NO_STALLS, MemorySystem, Stalls, all_stalls
from mcuplan.prove.api import Bytes
from mcuplan.prove.cores import Core
from mcuplan.prove.elf import read_elf
from mcuplan.prove.harness import CoreImage, Hook
from mcuplan.prove.samples import explain_failure, read_results, write_samples
from mcuplan.prove.toolchain import find_tool, run_tool

__all__ = [
    "CallCount",
    "Count",
    "EmulatorRun",
    "FunctionCount",
    "board_arguments",
    "count_calls",
    "run_machine",
    "run_on_core",
    "total",
]

_EMULATOR = "qemu-system-arm"
_FAULT_PC = re.compile(r"fault: pc=(0x[0-9a-f]+)")


@dataclass(frozen=True, slots=True)
class Count:
    """Instructions executed and estimated cycles; ``None`` where the core has no table.

    ``stalls`` come on top of ``cycles``: nothing but on a board whose memory system is described.
    """

    instructions: int
    cycles: int | None
    stalls: Stalls = NO_STALLS


def total(counts: Sequence[Count]) -> Count:
    """The sum; cycles where all have them."""
    cycles = [count.cycles for count in counts if count.cycles is not None]
    whole = sum(cycles) if len(cycles) == len(counts) else None
    stalls = all_stalls(count.stalls for count in counts)
    return Count(sum(count.instructions for count in counts), whole, stalls)


@dataclass(frozen=True, slots=True)
class FunctionCount:
    """What one function took of a call, without its callees."""

    name: str
    count: Count


@dataclass(frozen=True, slots=True)
class CallCount:
    """One inference, in all the calls that it takes.

    Attributes:
        total: everything; the sum of ``steps`` and ``rest``.
        steps: per step, or per run of rows, of an image with ``Hook.COUNT``; its call of the
            hook is in it (a few instructions), the hook itself is in nothing.
        rest: what runs behind the last step; everything, in an image without hook.
        functions: most instructions first.
        calls: the totals of its calls, in order.
    """

    total: Count
    steps: tuple[Count, ...]
    rest: Count
    functions: tuple[FunctionCount, ...]
    calls: tuple[Count, ...]


@dataclass(frozen=True, slots=True)
class EmulatorRun:
    """Outputs and measurements of a run.

    Attributes:
        outputs, dumps: ``[samples, nbytes]`` each.
        stack_bytes: painted high-water mark of the inference call alone, over all samples.
        calls: one per sample; empty without counter.
        stray: the first step that wrote what it must not, and the sample.
    """

    outputs: tuple[Bytes, ...]
    dumps: tuple[npt.NDArray[np.int8], ...]
    stack_bytes: int
    calls: tuple[CallCount, ...]
    stray: tuple[int, int] | None = None

    @property
    def slowest(self) -> CallCount:
        """The call with most cycles, or instructions where there are no cycles."""
        return max(self.calls, key=lambda call: _duration(call.total))


def _duration(count: Count) -> tuple[float, int]:
    return (count.cycles or 0) + count.stalls.cycles, count.instructions


def run_on_core(
    image: CoreImage,
    inputs: tuple[Bytes, ...],
    counter: Path | None = None,
    memory: MemorySystem | None = None,
    *,
    timeout_s: float = 600.0,
) -> EmulatorRun:
    """Run all samples through an image built by ``build_for_core``.

    Args:
        image: what to run.
        inputs: per model input ``[samples, ...]`` in its element type.
        counter: the plugin from :func:`~mcuplan.prove.counter.build_counter`, to count each call.
        memory: what the board reads code and constants from, to count what it waits; of no use
            on cores without a timing table.
        timeout_s: limit for all samples together.

    Raises:
        ToolMissing: the emulator is not installed.
        ToolFailed: a fault, an error of the model, a stack overflow, or the time was up.
    """
    samples = write_samples(image, inputs)
    plugin = ""
    if counter is not None:
        arguments = _image_arguments(image) | board_arguments(memory, image.core)
        plugin = _plugin_argument(counter, image.work, arguments)
    done = run_machine(image.core.machine, image.program, image.work, plugin, timeout_s)
    if done.returncode != 0:
        raise _name_fault(image, explain_failure(done, image.core.machine), done)
    produced = read_results(image, samples, _EMULATOR)
    has_cycles, each = bool(image.core.timing), image.api.calls
    calls = _read_counts(image.work, has_cycles) if counter is not None else ()
    if counter is not None and len(calls) != samples * each:
        raise ToolFailed(f"{_EMULATOR} counted {len(calls)} of {samples * each} calls")
    calls = tuple(_joined(calls[i : i + each]) for i in range(0, len(calls), each))
    return EmulatorRun(
        produced.outputs, produced.dumps, produced.stack_bytes, calls, produced.stray
    )


def run_machine(
    machine: str, program: PurePosixPath, work: Path, plugin: str = "", timeout_s: float = 600.0
) -> subprocess.CompletedProcess[str]:
    """Run a bare-metal program in ``work`` with semihosting.

    Raises:
        ToolMissing: the emulator is not installed.
        ToolFailed: it did not end in time.
    """
    command = [find_tool(_EMULATOR), "-M", machine, "-nographic", "-monitor", "none"]
    command += ["-serial", "none", "-semihosting-config", "enable=on,target=native"]
    command += ["-plugin", plugin] if plugin else []
    return run_tool([*command, "-kernel", str(program)], work, timeout_s=timeout_s, check=False)


def count_calls(
    machine: str,
    program: PurePosixPath,
    work: Path,
    counter: Path,
    arguments: Mapping[str, str],
    timeout_s: float = 600.0,
) -> tuple[CallCount, ...]:
    """Run any program and count between two addresses; ``arguments`` as in ``count.c``.

    Raises:
        ToolMissing: the emulator is not installed.
        ToolFailed: the program's exit status is not 0, or it did not end in time.
    """
    plugin = _plugin_argument(counter, work, arguments)
    done = run_machine(machine, program, work, plugin, timeout_s)
    if done.returncode != 0:
        raise explain_failure(done, machine)
    return _read_counts(work, arguments.get("core", "none") != "none")


def _plugin_argument(counter: Path, work: Path, arguments: Mapping[str, str]) -> str:
    """The emulator splits this at commas: only short relative names go in."""
    (work / "counts.txt").unlink(missing_ok=True)
    if counter.parent != work:
        shutil.copyfile(counter, work / "count.so")
    listed = [f"{name}={value}" for name, value in arguments.items()]
    return ",".join(["./count.so", *listed, "out=counts.txt"])


def _image_arguments(image: CoreImage) -> dict[str, str]:
    elf = read_elf(image.work / image.program)
    functions: dict[int, str] = {}
    for symbol in elf.symbols:
        if symbol.is_function and symbol.nbytes:
            functions.setdefault(symbol.address, symbol.name)
    lines = "".join(f"{address:#x} {name}\n" for address, name in functions.items())
    (image.work / "functions.txt").write_text(lines, encoding="utf-8")
    arguments = {
        "end": hex(elf.find("harness_return").address),
        "core": image.core.timing or "none",
        "symbols": "functions.txt",
    }
    for key, name in zip(("begin", "begin2", "begin3"), image.api.entries, strict=False):
        arguments[key] = hex(elf.find(name).address)
    if image.hook is Hook.COUNT and image.api.steps:  # without steps nothing calls it
        hook = elf.find("harness_step")
        arguments["hook"] = hex(hook.address)
        arguments["hook_end"] = hex(hook.address + hook.nbytes)
        arguments["marks"] = hex(elf.find("harness_marks").address)
        arguments["steps"] = str(image.api.steps)
    return arguments


def board_arguments(memory: MemorySystem | None, core: Core) -> dict[str, str]:
    """A board as ``count.c`` is told of it; nothing of a core without a timing table."""
    if memory is None or not core.timing:
        return {}
    numbers = {
        "wait_states": memory.wait_states,
        "read_bytes": memory.read_bytes,
        "line_bytes": memory.line_bytes,
        "code_lines": memory.icache_lines,
        "data_lines": memory.dcache_lines,
        "unified": int(memory.unified),
        "prefetch": int(memory.prefetch),
        "ram": core.ram.origin,
        "rules": int(memory.rules and core.timing == "m4"),
    }
    return {name: str(number) for name, number in numbers.items()}


def _read_counts(work: Path, has_cycles: bool) -> tuple[CallCount, ...]:
    """What the plugin wrote.

    Raises:
        ToolFailed: it is not there, or not what the plugin writes.
    """
    calls: list[list[list[str]]] = []
    try:
        for line in (work / "counts.txt").read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[0] == "call":
                calls.append([])
            calls[-1].append(words)
        return tuple(_parse_call(lines, has_cycles) for lines in calls)
    except (OSError, ValueError, IndexError) as error:
        raise ToolFailed(
            f"{_EMULATOR} did not count", hint=f"`{_EMULATOR} --version` must name a real QEMU"
        ) from error


def _parse_call(lines: list[list[str]], has_cycles: bool) -> CallCount:
    def count(tally: Sequence[str]) -> Count:
        instructions, cycles, *stalls = map(int, tally)
        return Count(instructions, cycles if has_cycles else None, Stalls(*stalls))

    steps = [count(words[3:]) for words in lines if words[0] == "step"]
    functions = [
        FunctionCount(words[7], count(words[1:7])) for words in lines if words[0] == "function"
    ]
    functions.sort(key=lambda entry: (-entry.count.instructions, entry.name))
    total = count(lines[0][1:])
    return CallCount(total, tuple(steps[:-1]), steps[-1], tuple(functions), (total,))


def _joined(calls: tuple[CallCount, ...]) -> CallCount:
    """The calls that one sample takes, as one."""
    if len(calls) == 1:
        return calls[0]
    functions: dict[str, list[Count]] = {}
    for found in (function for call in calls for function in call.functions):
        functions.setdefault(found.name, []).append(found.count)
    summed = [FunctionCount(name, total(counts)) for name, counts in functions.items()]
    summed.sort(key=lambda entry: (-entry.count.instructions, entry.name))
    return CallCount(
        total([call.total for call in calls]),
        tuple(total(counts) for counts in zip(*(call.steps for call in calls), strict=True)),
        total([call.rest for call in calls]),
        tuple(summed),
        tuple(call.total for call in calls),
    )


def _name_fault(
    image: CoreImage, error: ToolFailed, done: subprocess.CompletedProcess[str]
) -> ToolFailed:
    """Add the function in which the processor took a fault."""
    found = _FAULT_PC.search(done.stdout + done.stderr)
    if found is None:
        return error
    name = read_elf(image.work / image.program).function_at(int(found[1], 16))
    return ToolFailed(error.message, where=name or "outside of all functions")
