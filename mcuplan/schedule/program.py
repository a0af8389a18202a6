# SPDX-License-Identifier: Apache-2.0
"""What scheduling and planning produce: steps, programs, and where every tensor lies."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate
from types import MappingProxyType
from typing import Literal

from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import Call, Cost, Kernel, Signature
from mcuplan.plan_facts import AsAWhole, Trade
from mcuplan.schedule.gaps import Overlaps
from mcuplan.solvers.packing.problem import Buffer, MemoryPlan, Problem
from mcuplan.solvers.rows.problem import RowOrder
from mcuplan.targets import Target
from mcuplan.units import align_up

__all__ = [
    "FEED",
    "Allocation",
    "OrderResult",
    "Plan",
    "Program",
    "Run",
    "Selected",
    "Sharing",
    "Slot",
    "Spread",
    "Step",
    "Streaming",
    "whole_runs",
]

Streaming = Literal["off", "auto", "input"]
"""Whether steps run row by row: never, where that pays, and with rows of the input fed."""

FEED = -1
"""As the step of a run: rows of a streamed input arrive."""


@dataclass(frozen=True, slots=True)
class Step:
    """One node run by one kernel. Views are no steps: they cost nothing.

    ``forms`` are kernels that some of its runs take instead: the same function, which reads the
    same constants, in more scratch.
    """

    index: int
    node: Node
    signature: Signature
    kernel: Kernel
    forms: tuple[Kernel, ...] = ()

    @property
    def in_forms(self) -> tuple[Step, ...]:
        """It with its kernel alone, then with each of its forms."""
        return tuple(replace(self, kernel=one, forms=()) for one in (self.kernel, *self.forms))

    @property
    def calls(self) -> tuple[Call, ...]:
        """The C calls that run it."""
        return self.kernel.calls(self.signature)

    @property
    def scratch_bytes(self) -> int:
        """Bytes of the kernel's own while it runs."""
        return self.kernel.scratch_bytes(self.signature)

    @property
    def cost(self) -> Cost:
        """Work on any machine."""
        return self.signature.cost

    @property
    def rows(self) -> int:
        """Rows that its runs cover: those of its output, or of the input that it gathers."""
        sig = self.signature
        return (sig.inputs[0] if self.node.op.gathers else sig.output).rows

    @property
    def inplace_inputs(self) -> tuple[int, ...]:
        """Inputs of the output's size whose bytes the kernel may replace with the output."""
        return self.kernel.inplace_inputs(self.signature)


@dataclass(frozen=True, slots=True)
class Program:
    """A quantized graph in execution order, with a kernel for each step."""

    graph: Graph
    target: Target
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class OrderResult:
    """A graph in the chosen order and what is known about that order.

    ``peak_bytes`` is the most bytes that exist during a step: activations, each rounded
    up to its alignment, and scratch. ``lower_bound_bytes`` is what every order needs by
    proof. ``states`` counts sets of nodes that the search visited, where one was made.
    """

    graph: Graph
    peak_bytes: int
    lower_bound_bytes: int
    optimal: bool
    searched: bool
    states: int
    views: frozenset[str]  # names of the nodes that are no steps


@dataclass(frozen=True, slots=True)
class Sharing:
    """Which ways of sharing bytes a plan may use.

    Attributes:
        views: slices and joins without a copy, where that lowers the peak or costs nothing.
        in_place: element-wise steps over an operand that dies.
        overlap: outputs that start inside their input's dead rows.
        backwards: for that, rows may be made from the last to the first.
        keep_inputs: inputs are there, unchanged, after the last step.
        keep_outputs: outputs stay until the step of the next run that makes them.
    """

    views: bool = True
    in_place: bool = True
    overlap: bool = True
    backwards: bool = True
    keep_inputs: bool = False
    keep_outputs: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a tensor, or a row of one, lies in a buffer; several may share one (aliases)."""

    buffer: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One call of a step's kernel: output rows ``[first, end)``.

    Of a step that gathers its output from many rows, these are rows of its input. ``moves``
    is how many moments of live ranges it takes: one for each row where it goes row by row.
    ``descending``: a call for each row, from the last to the first, which lets the output
    lie above its input. ``form``: of those of its step, 0 the kernel.
    """

    step: int
    first: int
    end: int
    moves: int = 1
    descending: bool = False
    form: int = 0


@dataclass(frozen=True, slots=True)
class Allocation:
    """The buffers of a program before they have addresses.

    Attributes:
        buffers: what is placed. Live ranges count the moves of all runs.
        rows: slots of each activation: one for all of its rows where they lie one behind the
            other, else one for each.
        scratch: the buffer of a run's scratch, by the run's number.
        overlaps: what may share bytes while a run goes on, by its number; buffers by index.
        pinned: offsets of buffers that lie where they must.
        in_place: steps whose output takes the bytes of an input.
        without_copy: nodes that move data and are no steps here.
    """

    buffers: tuple[Buffer, ...]
    rows: Mapping[str, tuple[Slot, ...]]
    scratch: Mapping[int, str]
    overlaps: Overlaps = field(default_factory=Overlaps)
    pinned: Mapping[int, int] = field(default_factory=dict)
    in_place: tuple[int, ...] = ()
    without_copy: tuple[str, ...] = ()

    @property
    def problem(self) -> Problem:
        """What is to be placed, as of one arena."""
        return Problem(self.buffers, self.overlaps.separations, self.pinned)


@dataclass(frozen=True, slots=True)
class Spread:
    """How buffers were given to regions, and what their wait states cost (cycles, modelled).

    ``lower_bound_cycles`` is what every assignment of these buffers costs by proof.
    """

    wait_cycles: int
    lower_bound_cycles: int
    optimal: bool


@dataclass(frozen=True, slots=True)
class Selected:
    """What the kernels of a plan were chosen for, and what was given up for what.

    ``among_fitting``: nothing of what the objective asks for fits, and this does;
    ``instead_of``: the objective asked for, whose plan misses a limit that this one keeps;
    ``open_``: few plans were made, and one that was not may fit where this does not;
    ``first``: it is the first that fits, and no smaller one was looked for;
    ``of_held``: flash does not hold the fastest kernels, which are no part of what is compared.
    """

    objective: str
    trade: Trade
    among_fitting: bool = False
    instead_of: str = ""
    open_: bool = False
    first: bool = False
    of_held: bool = False


@dataclass(frozen=True)  # no slots: what is worked out once is kept
class Plan:
    """A program with an address for every buffer: one memory plan per RAM region.

    Attributes:
        runs: the order of calls; a step as a whole is one run of all its rows.
        order: what is known about the order of steps, or of rows; None where it was given.
        spread: None where nobody had to choose between regions.
        selected: None where the kernels were given.
        as_a_whole: why a plan that might work by rows does not, where that is no choice.
        pauses: numbers of runs, ascending, before which a call ends once the last row of a fed
            input has come; the calls that follow go on from there.
    """

    program: Program
    allocation: Allocation
    memory: Mapping[str, MemoryPlan]
    runs: tuple[Run, ...]
    order: OrderResult | RowOrder | None = None
    spread: Spread | None = None
    selected: Selected | None = None
    as_a_whole: AsAWhole | None = None
    pauses: tuple[int, ...] = ()

    @property
    def arena_bytes(self) -> int:
        """Bytes of all arenas together."""
        return sum(memory.arena_bytes for memory in self.memory.values())

    @cached_property
    def state_bytes(self) -> Mapping[str, int]:
        """First bytes of an arena that hold states, by region: they outlast calls."""
        found: dict[str, int] = {}
        for state in self.program.graph.states:
            region, offset = self.address(state.read.tensor)
            end = offset + self.program.graph.tensor(state.read.tensor).type.nbytes
            found[region] = max(found.get(region, 0), align_up(end, 4))
        return MappingProxyType(found)

    @cached_property
    def is_straight(self) -> bool:
        """Whether every step is one run, in their order: nothing goes back and forth."""
        return [run.step for run in self.runs] == list(range(len(self.program.steps)))

    @property
    def fed_rows(self) -> int:
        """Rows of an input that arrives row by row; 0: all inputs are there from the start."""
        return max((run.end for run in self.runs if run.step == FEED), default=0)

    @cached_property
    def run_moves(self) -> tuple[tuple[int, int], ...]:
        """The moments of live ranges, ``(first, end)``, of each run."""
        ends = tuple(accumulate(run.moves for run in self.runs))
        return tuple(zip((0, *ends), ends, strict=False))

    @cached_property
    def runs_of(self) -> Mapping[int, tuple[int, ...]]:
        """Numbers of the runs of each step (and of ``FEED``), in order."""
        numbers_of: dict[int, list[int]] = {}
        for number, run in enumerate(self.runs):
            numbers_of.setdefault(run.step, []).append(number)
        return MappingProxyType({step: tuple(numbers) for step, numbers in numbers_of.items()})

    @cached_property
    def cases(self) -> tuple[Step, ...]:
        """What runs take, each by one kernel: all steps, then those in other forms."""
        steps = self.program.steps
        more = (form for step in steps for form in step.in_forms[1:])
        return (*(step.in_forms[0] if step.forms else step for step in steps), *more)

    def case_of(self, run: Run) -> int:
        """Which of the cases a run of a step is."""
        steps = self.program.steps
        if not run.form:
            return run.step
        return len(steps) + sum(len(s.forms) for s in steps[: run.step]) + run.form - 1

    def descends(self, step: Step) -> bool:
        """Whether a step makes its rows from the last to the first."""
        return any(self.runs[number].descending for number in self.runs_of[step.index])

    def rows_per_call(self, step: Step) -> tuple[int, ...]:
        """Rows of each call of a step: of its runs; of those backwards a call for each row."""
        runs = [self.runs[number] for number in self.runs_of[step.index]]
        spans = ((run.end - run.first, run.descending) for run in runs)
        return tuple(n for rows, alone in spans for n in ((1,) * rows if alone else (rows,)))

    @cached_property
    def places(self) -> Mapping[str, tuple[str, int]]:
        """Region and offset of each buffer."""
        return MappingProxyType(
            {
                placement.buffer.name: (region, placement.offset)
                for region, memory in self.memory.items()
                for placement in memory.placements
            }
        )

    def address(self, tensor: str) -> tuple[str, int]:
        """Region and offset of an activation tensor; of its first row where rows lie apart."""
        slot = self.allocation.rows[tensor][0]
        region, offset = self.places[slot.buffer]
        return region, offset + slot.offset

    def row_addresses(self, tensor: str) -> tuple[tuple[str, int], ...]:
        """Region and offset of each row of an activation tensor."""
        slots = self.allocation.rows[tensor]
        if len(slots) == 1:
            kind = self.program.graph.tensor(tensor).type
            region, offset = self.address(tensor)
            return tuple((region, offset + y * kind.row_bytes) for y in range(kind.rows))
        rows = ((self.places[slot.buffer], slot.offset) for slot in slots)
        return tuple((region, base + offset) for (region, base), offset in rows)


def whole_runs(program: Program, descending: Collection[int] = ()) -> tuple[Run, ...]:
    """A run for each step, of all of its rows; some from the last row to the first."""
    steps = program.steps
    return tuple(Run(s.index, 0, s.rows, descending=s.index in descending) for s in steps)
