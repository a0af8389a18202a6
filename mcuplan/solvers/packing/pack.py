# SPDX-License-Identifier: Apache-2.0
"""The packer: heuristics first, then the exact search, then the independent check."""

from __future__ import annotations

import time

from mcuplan.solvers.packing.bound import LowerBound, lower_bound
from mcuplan.solvers.packing.check import check_placements, check_plan
from mcuplan.solvers.packing.conflicts import Conflicts, count_pairs
from mcuplan.solvers.packing.crowded import crowded_fit
from mcuplan.solvers.packing.exact import Limits, Proof, improve
from mcuplan.solvers.packing.greedy import climb, portfolio
from mcuplan.solvers.packing.problem import Ended, MemoryPlan, Placement, Problem
from mcuplan.solvers.packing.search import GREATEST

__all__ = ["DEFAULT_NODES", "DEFAULT_ROUNDS", "pack"]

DEFAULT_NODES = 150_000
"""Nodes that the exact search may visit where the caller sets no limit: fewer in large tables."""

DEFAULT_ROUNDS = 3_000
"""Rounds of the squeaky wheel where the caller sets no limit."""

_NODES_AND_PAIRS = 600_000_000  # most nodes x conflicts then

_MOST_PAIRS = 1_000_000  # beyond this, listing who meets whom takes too long
_PAIRS_A_SECOND = 100_000  # listed, ordered and tabulated, where there is a time limit


def pack(
    problem: Problem,
    *,
    capacity: int | None = None,
    time_limit_s: float | None = None,
    node_limit: int | None = None,
    work_limit: int | None = None,
    exact: bool = True,
    rounds: int = DEFAULT_ROUNDS,
    ejections: int = 0,
) -> MemoryPlan:
    """Place the buffers of one arena in as few bytes as can be found, and prove it.

    Args:
        problem: the buffers and their separations.
        capacity: a size that is enough: once the arena fits it, no more than a short
            search is made for less. Not a limit: compare the plan with it.
        time_limit_s: seconds for all of it; what is quick is done in any case. The outcome
            then depends on the machine; what goes into generated code must use a node limit.
        node_limit: nodes for the exact search; without any limit ``DEFAULT_NODES``.
        work_limit: nodes times conflicts of that search, beside ``node_limit``.
        exact: whether to search at all where no heuristic reaches the lower bound.
        rounds: of the squeaky wheel, where no heuristic reaches what is enough.
        ejections: tries of ejection after that.

    Returns:
        A checked plan; ``optimal`` only where that is proved.

    Raises:
        PlanError: the pinned buffers contradict each other.
        ValueError: numbers are larger than the core counts with.
    """
    deadline = None if time_limit_s is None else time.monotonic() + time_limit_s
    most = _MOST_PAIRS if time_limit_s is None else int(_PAIRS_A_SECOND * time_limit_s)
    _check_sizes(problem)
    _check_pinned(problem)
    bound = lower_bound(problem)
    if count_pairs(problem) > min(most, _MOST_PAIRS):
        proof = Proof(crowded_fit(problem), bound.bytes, 0)
        return _plan(problem, bound, proof, Ended.TOO_MANY_PAIRS)
    conflicts = Conflicts(problem)
    if time_limit_s is None and node_limit is None:
        node_limit, work_limit = DEFAULT_NODES, _NODES_AND_PAIRS
    if node_limit is not None and work_limit is not None:
        node_limit = min(node_limit, work_limit // (conflicts.pairs + 1))

    def late() -> bool:
        return deadline is not None and time.monotonic() >= deadline

    packing = portfolio(problem, conflicts, bound.bytes, late)
    proof = Proof(packing, bound.bytes, 0)
    if packing.arena_bytes > bound.bytes and exact and not late():
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        limits = Limits(node_limit, rounds, ejections, left)
        proof = improve(problem, conflicts, packing, bound.bytes, limits, capacity=capacity)
    goal = max(proof.proved_bytes, capacity or 0)
    if proof.packing.arena_bytes > goal:
        climbed = climb(problem, conflicts, packing, proof.proved_bytes, late)
        if climbed.arena_bytes < proof.packing.arena_bytes:
            proof = Proof(climbed, proof.proved_bytes, proof.nodes)
    return _plan(problem, bound, proof, Ended.STOPPED if exact else Ended.NOT_ASKED)


def _check_sizes(problem: Problem) -> None:
    buffers, entries = problem.buffers, problem.separations.values()
    lengths = (length for b in buffers for length in (b.nbytes, b.align))
    longest = max([*lengths, *entries, *problem.pinned.values()], default=0)
    if longest * (len(buffers) + 1) >= GREATEST:
        raise ValueError(f"{len(buffers):,} buffers and {longest:,} bytes: more than can be added")


def _check_pinned(problem: Problem) -> None:
    where = {index: at for at, index in enumerate(sorted(problem.pinned))}
    buffers = tuple(problem.buffers[index] for index in where)
    entries = {
        (where[low], where[high]): distance
        for (low, high), distance in problem.separations.items()
        if low in where and high in where
    }
    placements = [Placement(problem.buffers[index], problem.pinned[index]) for index in where]
    check_placements(Problem(buffers, entries), placements)


def _plan(problem: Problem, bound: LowerBound, proof: Proof, ended: Ended) -> MemoryPlan:
    packing = proof.packing
    plan = MemoryPlan(
        placements=tuple(map(Placement, problem.buffers, packing.offsets)),
        arena_bytes=packing.arena_bytes,
        lower_bound_bytes=bound.bytes,
        peak_step=bound.step,
        optimal=packing.arena_bytes == proof.proved_bytes,
        method=packing.method,
        proved_bytes=proof.proved_bytes,
        ended=ended,
        nodes=proof.nodes,
    )
    check_plan(problem, plan)
    return plan
