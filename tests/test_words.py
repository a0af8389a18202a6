# SPDX-License-Identifier: Apache-2.0
"""Every fact has words, and no two facts have the same ones."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args, get_type_hints

import pytest

from mcuplan.facts import (
    ClosedBy,
    Note,
    Rewrite,
    Rewritten,
    summed,
)
from mcuplan.plan_facts import Faster, FlashSpent, RoomyRuns, Trade
from mcuplan.schedule.program import Selected
from mcuplan.solvers.packing.problem import Ended, MemoryPlan
from mcuplan.solvers.rows.problem import RowOrder, RowProof
from mcuplan.spelling import did_you_mean
from mcuplan.words import kernels, note, placement, row_order

_VALUES: dict[Any, Any] = {
    int: 3,
    ClosedBy: ClosedBy.LIMITS,
    str: "na\x1bme\n",
    tuple[str, ...]: ("one\n", "two"),
    tuple[float, float]: (-0.5, 1e9),
    tuple[tuple[str, str], ...]: (("h\n", "hn"),),
    tuple[tuple[int, str], ...]: ((0, "a\n"), (1, "b")),
}


def _example(kind: type[Any]) -> Any:
    hints = get_type_hints(kind)
    return kind(*(_VALUES[hints[field.name]] for field in dataclasses.fields(kind)))


def test_every_note_has_words_of_its_own() -> None:
    """One printable line for each kind of note and of rewrite."""
    facts = [_example(kind) for kind in get_args(Note) if kind is not Rewritten]
    said = [note(fact) for fact in (*facts, *(Rewritten(what, 3) for what in Rewrite))]
    assert len(said) == len(set(said))
    assert all(said)


@pytest.mark.parametrize(
    ("trade", "words"),
    [
        (Trade(3), "the fastest kernel of every step"),
        (
            Trade(3, 1, 2.04, 1656, of_flash=True),
            "1 of 3 steps with a slower kernel, 2.0 % more cycles, 1,656 B of flash less",
        ),
        (
            Trade(3, least_arena=4000, above_least=1.5, backwards=7.25),
            "the fastest kernel of every step; least arena 4,000 B, this 1.5 % above; "
            "other kernels for rows made backwards, 7.2 % fewer cycles",
        ),
        (
            Trade(3, least_arena=4000, at_a_rate=True),
            "the fastest kernel of every step; least arena 4,000 B; "
            "1 % of arena for up to 5 % more cycles, 2 times at most",
        ),
        (
            Trade(3, flash=FlashSpent(2, 4096, -3.84), roomy=RoomyRuns(1, 4.5)),
            "the fastest kernel of every step; 4,096 B more flash for 2 of 3 steps, 3.8 % more "
            "cycles; runs of 1 of 3 steps use the room that they find, 4.5 % fewer cycles",
        ),
        (
            Trade(3, faster=Faster(1_234_567, 30_168, -52)),
            "the fastest kernel of every step of this plan; "
            "`--objective latency`: -1,234,567 cycles for +30,168 B of RAM, -52 B of flash",
        ),
    ],
)
def test_trades_in_words(trade: Trade, words: str) -> None:
    """What a choice of kernels gives up for what, and that it is one of what fits."""
    assert words == kernels(Selected("ram", trade))
    assert f"what fits: {words}" == kernels(Selected("latency", trade, among_fitting=True))
    first = f"{words}; the first plan that fits: --effort normal looks for less RAM"
    assert first == kernels(Selected("ram", trade, first=True))
    instead = f"{words}; instead of balanced, which misses a limit"
    assert instead == kernels(Selected("latency", trade, instead_of="balanced"))
    held = kernels(Selected("ram", trade, of_held=True))
    assert "that the flash holds" in held
    assert words == held.replace(" that the flash holds", "").replace(" than those", "")


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (
            RowOrder((), 1200, 1200, RowProof.CALL, 0),
            "no order of rows needs less than 1,200 B: a call needs that in every order",
        ),
        (
            RowOrder((), 1260, 1200, RowProof.SEARCHED, 9),
            "no order of rows needs less than 1,200 B: 9 states searched",
        ),
        (
            RowOrder((), 1260, 1200, RowProof.BOUND, 9),
            "every order of rows needs 1,200 B or more; stopped after 9 states",
        ),
    ],
)
def test_orders_of_rows_in_words(order: RowOrder, words: str) -> None:
    """A proof stays one where rows that are made together need more."""
    assert words == row_order(order)


@pytest.mark.parametrize(
    ("arena", "proved", "ended", "nodes", "words"),
    [
        (100, 100, Ended.STOPPED, 0, "the live bytes at the peak need 100 B"),
        (1200, 1200, Ended.STOPPED, 5, "the search refuted every size below 1,200 B (5 nodes)"),
        (1200, 110, Ended.NOT_ASKED, 0, "exact search not asked for; "),
        (1200, 110, Ended.TOO_MANY_PAIRS, 0, "exact search not attempted; "),
        (1200, 110, Ended.STOPPED, 5000, "exact search stopped after 5,000 nodes; "),
    ],
)
def test_placements_in_words(arena: int, proved: int, ended: Ended, nodes: int, words: str) -> None:
    """How it is known that an arena cannot be smaller, or how small it might be."""
    memory = MemoryPlan((), arena, 100, 7, arena == proved, "", proved, ended, nodes)
    rest = f"the least arena has {proved:,} to {arena:,} B" if arena > proved else ""
    assert f"{words}{rest}" == placement(memory)


def test_rewrites_are_summed() -> None:
    """One count for each kind, behind all other notes; what did not happen is not there."""
    other = _example(get_args(Note)[0])
    one, two = Rewrite.PADDING_FOLDED, Rewrite.GATE_FUSED
    notes = (Rewritten(one, 1), other, Rewritten(two, 0), Rewritten(one, 2))
    assert (other, Rewritten(one, 3)) == summed(notes)


def test_what_is_known_is_not_said_without_end() -> None:
    """An unknown word is answered by the nearest, or by some of those that there are."""
    many = [f"layer{i}" for i in range(44)]
    assert 'did you mean "layer7"?' == did_you_mean("layer7x", many)
    assert did_you_mean("nobody", many).endswith("layer28, layer29 and 14 more")
    assert "known: a, b" == did_you_mean("nobody", ["a", "b"])
