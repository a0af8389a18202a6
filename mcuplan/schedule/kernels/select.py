# SPDX-License-Identifier: Apache-2.0
"""Which kernels can run each step, what each would take, and a program of the ones chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType

from mcuplan.backends import kernels_for
from mcuplan.errors import Problems, UnsupportedOp
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import Kernel, Signature
from mcuplan.price import Ground, constants_of, expected_cycles
from mcuplan.schedule.code import model_code, step_constants
from mcuplan.schedule.program import Program, Step
from mcuplan.solvers.packing.problem import Region
from mcuplan.targets import Target

__all__ = [
    "Candidate",
    "Chosen",
    "Offers",
    "Ways",
    "by_runs",
    "by_speed",
    "candidates_of",
    "fastest_of",
    "flash_bytes",
    "flash_room",
    "program_of",
    "ram_room",
    "select_kernels",
    "tall_apart",
    "traded_apart",
]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A step as one of the kernels would run it, with its modelled cycles.

    The index of the step is that of its node among those that are no views.
    """

    step: Step
    cycles: float

    @property
    def constants_bytes(self) -> int:
        """Flash that the step takes beside code."""
        return constants_of(self.step.kernel, self.step.signature).nbytes


Chosen = Mapping[str, Candidate]
"""The way that each node runs, by its name."""

Ways = Mapping[str, tuple[Candidate, ...]]
"""Every way to run each node, by its name, fastest first."""


@dataclass(slots=True)
class Offers:
    """Candidates of graphs for one target; a node that several of them have is rated once."""

    target: Target
    flash_limit: int | None = None  # bytes; where it is less than the target has
    ram_limit: int | None = None  # the same of all RAM
    copies: bool = False  # of weights in RAM are ways like others, whatever flash they save
    functions: frozenset[str] | None = None  # of nodes that these run; None: any
    _known: dict[str, tuple[Candidate, ...]] = field(default_factory=dict)

    def of(self, graph: Graph) -> Ways:
        """Every way to run each node of a lowered graph; views have none.

        All kernels that the core can run, or those of the set that was asked for and the
        portable ones. Equally fast ones stand in the order of their sets: what asks for more of
        the core comes first, and a set lists its kernels fastest first. Where the fastest ones
        keep more constants than the flash holds, those that save least by it are left out. So are
        kernels that hold more rows at once than there is RAM, where others hold fewer.

        Raises:
            Problems: nodes that no kernel runs, all of them.
        """
        errors: list[UnsupportedOp] = []
        offered: dict[str, tuple[Candidate, ...]] = {}
        for node in graph.nodes:
            if node.op.is_view:
                continue
            signature = graph.signature(node)
            ways = _again(self._known.get(node.name, ()), node, signature, len(offered))
            ways = ways or self._within_ram(_ways(node, signature, self.target, len(offered)))
            if not ways:
                message = f"no int8 kernel runs {node.op.label}"
                errors.append(UnsupportedOp(message, graph.node_name(node), "report the model"))
            offered[node.name] = ways
        Problems.raise_if_any(errors)
        self._known |= offered
        room = flash_room(self.target, self.flash_limit)
        if self.functions is not None:
            offered = {name: self._allowed(ways) for name, ways in offered.items()}
        if self.copies:
            return MappingProxyType(_with_copies(offered))
        return MappingProxyType(_within_flash(graph, self.target, offered, room))

    def holds_fastest(self, graph: Graph) -> bool:
        """Whether flash holds the fastest kernels of a graph together, whatever they trade."""
        ways = {name: self._known[name] for name in self.of(graph)}
        fastest = program_of(graph, self.target, fastest_of(ways))
        return flash_bytes(fastest) <= flash_room(self.target, self.flash_limit)

    def short_of_flash(self, functions: frozenset[str] | None = None) -> Offers:
        """The same for plans that are over it: nothing that may save flash is left out."""
        return replace(self, copies=True, functions=functions)

    def _allowed(self, ways: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        """Ways by the functions that are asked for, if there are any."""
        wanted = self.functions or frozenset[str]()
        return tuple(way for way in ways if way.step.kernel.function in wanted) or ways

    def _within_ram(self, ways: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        """Ways whose input and output are not both held whole, where RAM does not hold them."""
        room = ram_room(self.target, self.ram_limit)
        kept = tuple(c for c in ways if c.step.kernel.row_by_row or _whole_bytes(c.step) <= room)
        return kept or ways


def _whole_bytes(step: Step) -> int:
    """Activations of a step, whole, and its scratch."""
    signature = step.signature
    given = zip(signature.inputs, signature.constants, strict=True)
    held = [kind.nbytes for kind, constant in given if constant is None]
    return sum(held) + sum(kind.nbytes for kind in signature.outputs) + step.scratch_bytes


def flash_bytes(program: Program) -> int:
    """Flash that a program takes: constants, and code with its margin."""
    code = model_code(program, program.target)
    constants = (step_constants(step).nbytes for step in program.steps)
    return sum(constants) + code.code_bytes + code.code_margin_bytes


def flash_room(target: Target, limit: int | None) -> int:
    """Bytes of flash that everything together may take."""
    return _room(target.flash, limit)


def ram_room(target: Target, limit: int | None) -> int:
    """Bytes of RAM that everything together may take."""
    return _room(target.ram, limit)


def _room(regions: Iterable[Region], limit: int | None) -> int:
    room = sum(region.usable_bytes for region in regions)
    return room if limit is None else min(room, limit)


def _within_flash(graph: Graph, target: Target, offered: Ways, limit: int) -> Ways:
    """All ways where the fastest keep a limit in bytes; else lean ones, copies of weights as well.

    Kernels that trade flash for speed are no part of it: they take what is to spare.
    """
    plain, _ = traded_apart(offered)
    if flash_bytes(program_of(graph, target, fastest_of(plain))) <= limit:
        return offered
    return _lean(graph, target, _with_copies(offered), limit)


def _lean(graph: Graph, target: Target, offered: Ways, limit: int) -> Ways:
    """Ways that keep a limit in bytes together, if any do: lean ones where that costs least."""
    plain, _ = traded_apart(offered)
    fastest = fastest_of(plain)
    over = flash_bytes(program_of(graph, target, fastest)) - limit
    if over <= 0:
        return offered
    sizes = {name: [(w, w.constants_bytes) for w in found] for name, found in plain.items()}
    now = {name: found[0] for name, found in sizes.items()}
    spare = sum(nbytes - min(n for _, n in sizes[name]) for name, (_, nbytes) in now.items())
    if spare < over:
        return offered  # it is over either way
    while over > 0:
        leaner = [
            ((way.cycles - now[name][0].cycles) / (now[name][1] - nbytes), name, (way, nbytes))
            for name, found in sizes.items()
            for way, nbytes in found
            if nbytes < now[name][1]
        ]
        if not leaner:
            return offered
        _, name, least = min(leaner, key=lambda one: one[:2])
        over -= now[name][1] - least[1]
        now[name] = least
        if over <= 0:  # kernels that differ bring code of their own
            chosen = {name: way for name, (way, _) in now.items()}
            over = flash_bytes(program_of(graph, target, chosen)) - limit
    changed = {name: way for name, (way, _) in now.items() if way is not fastest[name]}
    return _no_larger(offered, changed)


def _no_larger(offered: Ways, lean: Chosen) -> Ways:
    """All ways but those of more constants than lean ones; plans by rows begin with one row."""
    rows = {
        name: min((w.constants_bytes for w in offered[name] if _is_of_a_row(w)), default=0)
        for name in lean
    }
    most = {name: max(way.constants_bytes, rows[name]) for name, way in lean.items()}

    def kept(name: str, way: Candidate) -> bool:
        if name not in most or way.step.kernel.trades_flash:
            return True
        of_ram = lean[name].step.kernel.staged and not way.step.kernel.staged
        return of_ram or way.constants_bytes <= most[name]

    return {name: tuple(w for w in found if kept(name, w)) for name, found in offered.items()}


def _is_of_a_row(way: Candidate) -> bool:
    kernel = way.step.kernel
    return kernel.tall == 1 and not kernel.trades_flash


def _with_copies(ways: Ways) -> dict[str, tuple[Candidate, ...]]:
    """Ways of which copies of weights are not only taken where there is memory to spare."""
    return {name: tuple(map(_as_any_other, found)) for name, found in ways.items()}


def _as_any_other(way: Candidate) -> Candidate:
    kernel = way.step.kernel
    if not (kernel.staged and kernel.trades_flash):
        return way
    return replace(way, step=replace(way.step, kernel=_never_to_spare(kernel)))


def candidates_of(graph: Graph, target: Target) -> Ways:
    """Every way to run each node of a lowered graph: :meth:`Offers.of`."""
    return Offers(target).of(graph)


def fastest_of(ways: Ways) -> dict[str, Candidate]:
    """The fastest way to run each node."""
    return {name: found[0] for name, found in ways.items()}


def traded_apart(ways: Ways) -> tuple[Ways, Ways]:
    """Ways to run each node without kernels that trade flash for speed, and those alone."""
    return _apart(ways, lambda kernel: kernel.trades_flash)


def tall_apart(ways: Ways) -> tuple[Ways, Ways]:
    """Ways to run each node by kernels that make a row at a time, and those that make several."""
    return _apart(ways, lambda kernel: kernel.tall > 1)


def _apart(ways: Ways, has: Callable[[Kernel], bool]) -> tuple[Ways, Ways]:
    def with_(wanted: bool) -> Ways:
        return {
            name: tuple(c for c in found if has(c.step.kernel) is wanted)
            for name, found in ways.items()
        }

    return with_(False), with_(True)


def program_of(graph: Graph, target: Target, chosen: Chosen) -> Program:
    """The steps of a graph in its order; ``chosen`` goes by the names of the nodes."""
    return Program(graph, target, tuple(candidate.step for candidate in chosen.values()))


def select_kernels(graph: Graph, target: Target) -> Program:
    """The fastest kernel for each step of a lowered graph in its order.

    Raises:
        Problems: nodes that no kernel runs, all of them.
    """
    ways = candidates_of(graph, target)
    return program_of(graph, target, fastest_of(ways))


def by_runs(ways: Ways, target: Target, most: int) -> Ways:
    """Ways as priced where calls make so many rows, or as many as a kernel makes together."""

    def runs(step: Step) -> Sequence[int]:
        each, rows = max(most, step.kernel.tall), step.rows
        return tuple(min(each, rows - y) for y in range(0, rows, each))

    return {
        name: by_speed([candidate.step for candidate in found], target, runs)
        for name, found in ways.items()
    }


def _again(
    ways: tuple[Candidate, ...], node: Node, signature: Signature, index: int
) -> tuple[Candidate, ...]:
    """Candidates of the same node in another graph; none where what it reads has changed."""
    if not ways:
        return ()
    step = ways[0].step
    before = step.signature
    kinds = (before.inputs, before.outputs) == (signature.inputs, signature.outputs)
    constants = zip(before.constants, signature.constants, strict=True)
    if step.node is not node or not kinds or any(one is not other for one, other in constants):
        return ()
    if step.index == index:
        return ways
    return tuple(replace(way, step=replace(way.step, index=index)) for way in ways)


def _ways(node: Node, signature: Signature, target: Target, index: int) -> tuple[Candidate, ...]:
    kernels = kernels_for(frozenset(target.features), target.backend).get(type(node.op), ())
    core = target.features, target.backend
    found = signature.known((kernels_for, *core), lambda: [k for k in kernels if k.runs(signature)])
    plain = [k for k in found if k.backend != "c99" and not k.staged and not k.trades_flash]
    most = max((len(k.requires) for k in plain), default=-1)
    taken = (_to_spare(k) if k.staged and len(k.requires) <= most else k for k in found)
    return by_speed([Step(index, node, signature, kernel) for kernel in taken], target)


@cache
def _to_spare(kernel: Kernel) -> Kernel:
    """A kernel that is only taken where there is memory to spare.

    Others, of a set that asks for as much of the core, need no copy.
    """
    assert not kernel.trades_flash, "a copy is that of the weights, not of a multiple of them"
    return replace(kernel, trades_flash=True)


@cache
def _never_to_spare(kernel: Kernel) -> Kernel:
    """A copy that is taken like kernels without one."""
    return replace(kernel, trades_flash=False)


def _at_once(step: Step) -> Sequence[int]:
    """All rows in one call."""
    return ()


def by_speed(
    steps: Sequence[Step], target: Target, runs: Callable[[Step], Sequence[int]] = _at_once
) -> tuple[Candidate, ...]:
    """A node with one kernel or another, fastest first; ``runs``: output rows of each call.

    A kernel with borrowed figures is meant to be faster than those whose figures are known.
    Counts on another core do not say that a kernel is faster than those of a set made for this
    one, for which there are only rates; but than one that copies its weights first.
    """
    expected = [expected_cycles(step.kernel, step.signature, target, runs(step)) for step in steps]
    known = [one.total for one in expected if one.ground is not Ground.BORROWED]
    fast = [step.kernel.backend != "c99" for step in steps]
    rated = [
        one.total
        for step, one, special in zip(steps, expected, fast, strict=True)
        if special and one.ground is Ground.RATED and not step.kernel.staged
    ]
    candidates = []
    for step, one, special in zip(steps, expected, fast, strict=True):
        cycles = one.total
        if one.ground is Ground.BORROWED:
            cycles = min(cycles, min(known, default=cycles))
        elif one.ground is Ground.SCALED and special:
            cycles = max(cycles, max(rated, default=0.0))
        candidates.append(Candidate(step, cycles))
    return tuple(sorted(candidates, key=lambda candidate: candidate.cycles))
