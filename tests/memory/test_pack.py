# SPDX-License-Identifier: Apache-2.0
"""The packer on tables whose answers are known."""

from __future__ import annotations

from mcuplan.memory import Buffer, LiveRange, Problem, pack


def test_reuse_at_the_step_of_freeing() -> None:
    """A buffer freed at step k may be reused at step k."""
    plan = pack(Problem((Buffer("a", 64, LiveRange(0, 3)), Buffer("b", 64, LiveRange(3, 5)))))
    assert 64 == plan.arena_bytes
    assert plan.optimal


def test_overlap_into_dead_rows() -> None:
    """An output may start inside its input as far as the separation allows."""
    buffers = (Buffer("in", 100, LiveRange(0, 1)), Buffer("out", 80, LiveRange(0, 2)))
    plan = pack(Problem(buffers, {(1, 0): 16}))
    assert 116 == plan.arena_bytes == plan.lower_bound_bytes
