# SPDX-License-Identifier: Apache-2.0
"""States in a plan: what may lie where, and what cannot be planned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mcuplan.errors import UsageError
from mcuplan.ir.graph import Graph
from mcuplan.schedule.assembly.aliases import Aliases
from mcuplan.schedule.program import Program

__all__ = ["check_states", "later_states", "over_states"]


def check_states(graph: Graph, *, fed: bool) -> None:
    """A model with states is called as a whole, and what a state is next is made by a layer.

    Layers with several outputs run as a whole, too. No output is a state: the call that
    computes it leaves there what the state is next.

    Args:
        graph: lowered graph.
        fed: its input is to arrive row by row.

    Raises:
        UsageError: it is not so.
    """
    if fed and graph.states:
        hint = "--streaming off: rows are not divided between calls"
        raise UsageError("a model with states is called as a whole", "--streaming input", hint)
    several = [node for node in graph.nodes if len(node.outputs) > 1]
    if fed and several:
        what = f"{graph.node_name(several[0])!r} has several outputs, which are made as a whole"
        raise UsageError(what, "--streaming input", "--streaming off")
    states = {state.read.tensor: state for state in graph.states}
    for state in graph.states:
        name = _beneath(graph, state.written.tensor)
        if name not in graph.producers():
            flag = f"--state {state.name}={state.written.name}"
            what = f"no layer makes {state.written.name!r}, it is {graph.tensor_name(name)!r}"
            raise UsageError(what, flag, "keep it in the application")
    for port in graph.app_outputs:
        if (shown := states.get(_beneath(graph, port.tensor))) is not None:
            flag = f"--state {shown.name}={shown.written.name}"
            what = f"output {port.name!r} is the state, which the same call replaces"
            raise UsageError(what, flag, "take that output out of the model")


def _beneath(graph: Graph, name: str) -> str:
    """The tensor that a tensor is a view of, itself where it is none."""
    producers = graph.producers()
    while name in producers and producers[name].op.is_view:
        name = producers[name].inputs[0]
    return name


def over_states(
    program: Program, aliases: Aliases, first: Mapping[str, int], end: Mapping[str, int]
) -> dict[str, str]:
    """Storages of what states are next that may lie over what they are now."""
    found: dict[str, str] = {}
    for read, written in _storages(program.graph, aliases):
        if written not in found and end[read] <= first.get(written, 0):
            found[written] = read
    return found


def later_states(graph: Graph, aliases: Aliases) -> tuple[set[str], set[str]]:
    """Storages of what states are next: those for which `over_states` holds in every order of
    the nodes, and those for which it may in some.
    """
    producers, always, perhaps = graph.producers(), set[str](), set[str]()
    for read, written in _storages(graph, aliases):
        before: dict[str, None] = {}
        waiting = list(producers[written].inputs) if written in producers else []
        while waiting:
            maker = producers.get(waiting.pop())
            if maker is not None and maker.name not in before:
                before[maker.name] = None
                waiting += maker.inputs
        readers = [n for n in graph.nodes if any(_lies_in(aliases, i, read) for i in n.inputs)]
        known = all(node.name in before for node in readers) and written not in always
        (always if known else perhaps).add(written)
    return always, perhaps - always


def _lies_in(aliases: Aliases, tensor: str, storage: str) -> bool:
    return tensor in aliases.slots and aliases.slots[tensor].buffer == storage


def _storages(graph: Graph, aliases: Aliases) -> Iterator[tuple[str, str]]:
    """What a state is and what it is next, where each is all of its storage."""
    for state in graph.states:
        ends = state.read.tensor, state.written.tensor
        read, written = (aliases.slots[name].buffer for name in ends)
        if read != written and all(aliases.fills(graph, name) for name in ends):
            yield read, written
