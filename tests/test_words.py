# SPDX-License-Identifier: Apache-2.0
"""Every fact has words, and no two facts have the same ones."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args, get_type_hints

from mcuplan.facts import Note, Rewrite, Rewritten, summed
from mcuplan.words import note

_VALUES: dict[Any, Any] = {
    int: 3,
    str: "na\x1bme\n",
    tuple[str, ...]: ("one\n", "two"),
    tuple[float, float]: (-0.5, 1e9),
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


def test_rewrites_are_summed() -> None:
    """One count for each kind, behind all other notes; what did not happen is not there."""
    other = _example(get_args(Note)[0])
    one, two = Rewrite.PADDING_FOLDED, Rewrite.GATE_FUSED
    notes = (Rewritten(one, 1), other, Rewritten(two, 0), Rewritten(one, 2))
    assert (other, Rewritten(one, 3)) == summed(notes)
