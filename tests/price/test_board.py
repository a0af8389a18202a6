# SPDX-License-Identifier: Apache-2.0
"""What kernels are modelled to wait on boards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcuplan.backends import backend_kernels
from mcuplan.ir.op import Kernel, Signature
from mcuplan.ir.staging import staged
from mcuplan.memory_system import MemorySystem, Stalls
from mcuplan.ops import all_kernels
from mcuplan.ops.dense import Dense
from mcuplan.price import expected_cycles
from mcuplan.price.board import kernel_waits, stalls_of, weight_reads
from mcuplan.price.cycles import work_of
from mcuplan.prove.bench import SHAPES
from mcuplan.prove.fit.shapes import sweep
from mcuplan.prove.layers import signature_of
from mcuplan.targets import load_target

L4R5 = MemorySystem(5, 16, 32, 32, 8, prefetch=True, rules=True)
DENSE = next(kernel for kernel in backend_kernels()["dsp"] if kernel.op is Dense)
SIG = signature_of(next(shape for shape in SHAPES if shape.op == Dense()))


def _stalls(memory: MemorySystem, kernel: Kernel = DENSE, sig: Signature = SIG) -> Stalls:
    return stalls_of(kernel, sig, memory, work_of(kernel, sig), 1000.0)[0]


def test_generic_cores_never_wait() -> None:
    """Where no flash is described, cycles are those of the core."""
    generic = expected_cycles(DENSE, SIG, load_target("cortex-m4"))
    board = expected_cycles(DENSE, SIG, load_target("nucleo-l4r5zi"))

    assert generic.total == generic.cycles == board.cycles
    assert board.total == board.cycles + board.stalls.cycles > board.cycles
    assert Stalls() == generic.stalls


@pytest.mark.parametrize("kernel", [k for k in backend_kernels()["dsp"] if k.op is Dense][:2])
def test_slower_memories_wait_longer(kernel: Kernel) -> None:
    """More wait states, narrower reads, less cache and no prefetch never save a cycle."""
    for quick, slow in (
        (replace(L4R5, wait_states=0), L4R5),
        (L4R5, replace(L4R5, wait_states=6)),
        (L4R5, replace(L4R5, read_bytes=8)),
        (replace(L4R5, icache_lines=512), L4R5),
        (L4R5, replace(L4R5, icache_lines=0)),
        (L4R5, replace(L4R5, dcache_lines=0)),
        (replace(L4R5, dcache_lines=1 << 14), L4R5),
    ):
        one, other = _stalls(quick, kernel), _stalls(slow, kernel)
        assert one.code <= other.code
        assert one.constants <= other.constants
        assert one.rules == other.rules
    assert _stalls(L4R5, kernel).code <= _stalls(replace(L4R5, prefetch=False), kernel).code


def test_weights_are_read_once_where_a_cache_holds_them() -> None:
    """Else as often as the kernel runs through them, whose number the planner can ask for."""
    reads = weight_reads(DENSE, SIG, work_of(DENSE, SIG))
    large = replace(L4R5, dcache_lines=1 << 14, prefetch=False)
    bytes_of_lines = reads.nbytes / large.read_bytes * large.wait_states

    assert reads.nbytes >= SIG.constant(1).size
    assert _stalls(large).constants == pytest.approx(bytes_of_lines)
    assert _stalls(replace(L4R5, prefetch=False)).constants >= reads.times * bytes_of_lines


def test_weights_in_ram_are_read_from_flash_once() -> None:
    """A kernel that copies its weights reads them once, however often it is called."""
    reads = weight_reads(staged(DENSE), SIG, {"call": 3.0, "pixel": 50.0})
    flash, ram = _stalls(L4R5), _stalls(L4R5, staged(DENSE))

    assert 1.0 == reads.times
    assert ram.rules < flash.rules
    assert ram.rules == pytest.approx(flash.rules - flash.mixed)


def test_rules_are_those_of_a_core_that_has_them() -> None:
    """On another core nothing is added for them."""
    assert 0 == _stalls(replace(L4R5, rules=False)).rules != _stalls(L4R5).rules


def test_a_kernel_that_nobody_counted_waits_too() -> None:
    """It takes about what others take, and states no error."""
    kernel = next(k for k in all_kernels() if k.op is Dense)
    stalls, error = stalls_of(replace(kernel, backend="none"), SIG, L4R5, {"pixel": 1.0}, 1e6)

    assert error is None
    assert stalls.code > 0 < stalls.constants


@pytest.mark.parametrize("backend", ["c99", "dsp", "fpu", "scalar"])
def test_files_are_whole(backend: str) -> None:
    """Shares are shares, reads are not negative, and every board has an error."""
    waits = kernel_waits(backend)
    assert waits
    for name, row in waits.items():
        shares = [*row.exposed.values(), *row.exposed_bare.values()]
        assert all(0 <= share <= 1 for share in shares), name
        reads = (row.cached, row.bare, row.mixed)
        assert all(value >= 0 for part in reads for value in part.values())
        assert row.contention >= 1 <= row.contention_bare
        assert {"ahead", "cached", "narrow", "bare", "bare_ahead"} <= row.errors.keys()


def test_a_board_may_take_another_kernel() -> None:
    """Where reads are narrow, weights that are shared by two pixels beat those that are not."""
    shape = next(s for s in sweep() if s.name == "10x10x4->8" and s.op.label == "Conv 5x5")
    generic = replace(load_target("cortex-m4"), backend="dsp")
    board = replace(generic, memory=replace(L4R5, read_bytes=8))

    fastest = []
    for target in (generic, board):
        found = {
            kernel.function: expected_cycles(kernel, signature_of(shape), target).total
            for kernel in backend_kernels()["dsp"]
            if kernel.function in ("mplan_conv2d_patch_s8_dsp", "mplan_conv2d_s8_dsp")
        }
        fastest.append(min(found, key=lambda name: found[name]))

    assert ["mplan_conv2d_patch_s8_dsp", "mplan_conv2d_s8_dsp"] == fastest
