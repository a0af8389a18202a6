# SPDX-License-Identifier: Apache-2.0
"""States in C: where they lie, what sets them to 0, and what takes over their next values."""

from __future__ import annotations

from collections.abc import Iterator

from mcuplan.emit.bundle import KeptState
from mcuplan.emit.places import Places
from mcuplan.ir.graph import State
from mcuplan.safe_text import comment_text

__all__ = ["state_values", "states_of", "taken_over"]

_WITHOUT = """\
 * Between calls nothing needs to survive: the arena may serve other purposes. Models that never
 * run at the same time may share one: union {{ {0}_..._t a; other_..._t b; }}."""
_WITH = """\
 * A call is one frame of a sequence, which {0}_reset() begins. Between calls the context and the
 * first {1}_STATE_BYTES bytes of the arena must stay as they are:
 * the next call goes on from what this one leaves there, in {2}. The other bytes
 * may serve other purposes. Sequences that take turns in one arena keep a copy of these bytes
 * each; those that go on at the same time have an arena and a context each."""


def states_of(places: Places) -> tuple[KeptState, ...]:
    """The states of a model and their bytes."""
    kept = []
    for state in places.graph.states:
        region, offset = places.plan.address(state.read.tensor)
        nbytes = places.graph.tensor(state.read.tensor).type.nbytes
        kept.append(KeptState(state.name, places.members[region], offset, nbytes))
    return tuple(kept)


def state_values(places: Places) -> dict[str, str]:
    """What fills the templates of NAME_reset, and what the header says of calls."""
    return {
        "between": _between(places),
        "resets": "\n".join(_reset(places, state) for state in places.graph.states),
    }


def _between(places: Places) -> str:
    """What must survive from one call to the next."""
    name = places.name
    if not places.graph.states:
        return _WITHOUT.format(name)
    names = ", ".join(f'"{comment_text(state.name)}"' for state in places.graph.states)
    (region,) = places.plan.state_bytes
    return _WITH.format(name, f"{name}_{places.members[region]}".upper(), names)


def _reset(places: Places, state: State) -> str:
    """A statement that gives a state the integers of real 0."""
    kind = places.graph.tensor(state.read.tensor).type
    (zero,) = set(kind.quant.zero_point) if kind.quant is not None else {0}
    assert kind.dtype.bits == 8 or zero == 0, "an integer of real 0 is one byte over and over"
    member = places.members[places.plan.address(state.read.tensor)[0]]
    place = f"&ctx->{member}->bytes[{places.macros[state.read.tensor]}]"
    return f"        (void)memset({place}, {zero}, {kind.nbytes}U);"


def taken_over(places: Places) -> Iterator[str]:
    """Statements at the end of a call: next values go where they are found, unless they are."""
    for state in places.graph.states:
        read, written = state.read.tensor, state.written.tensor
        if places.plan.address(read) != places.plan.address(written):
            nbytes = places.graph.tensor(read).type.nbytes
            to, source = places.pointer(read), places.pointer(written)
            yield f"        (void)memcpy({to}, {source}, {nbytes}U);"
