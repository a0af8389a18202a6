# SPDX-License-Identifier: Apache-2.0
"""Plans by rows of one lowered graph, for any objective: which kernels, in which order of rows.

The orders and peaks found for one objective serve the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mcuplan.ir.graph import Graph
from mcuplan.plan_facts import FlashSpent
from mcuplan.schedule.assembly.row_local import (
    RowProgram,
    check_feedable,
    has_too_many_rows,
    row_program,
)
from mcuplan.schedule.kernels.as_many import as_many
from mcuplan.schedule.kernels.choose import choose, faster_within, slower
from mcuplan.schedule.kernels.flash_price import price_of
from mcuplan.schedule.kernels.objective import MORE_CYCLES, Aim, Objective, plan_cycles
from mcuplan.schedule.kernels.placer import Placer
from mcuplan.schedule.kernels.select import (
    Candidate,
    Chosen,
    Offers,
    Ways,
    by_runs,
    fastest_of,
    program_of,
    tall_apart,
    traded_apart,
)
from mcuplan.schedule.planning.orders import RowOrders
from mcuplan.schedule.planning.priced import Priced
from mcuplan.schedule.planning.rating import Rating, apart_bytes, apart_of
from mcuplan.schedule.planning.roomy_runs import with_roomy_runs
from mcuplan.schedule.planning.spare_flash import bought, spent
from mcuplan.schedule.planning.streamed import Packed, best_of, fed, least_bytes
from mcuplan.schedule.program import Plan, Selected, Sharing
from mcuplan.solvers.effort import Effort
from mcuplan.solvers.packing import Packer

__all__ = ["LoweredRows", "leanest_of"]

_MORE_ARENA = 0.05  # than the least, that the default objective may take
_PACKED = (1.0, 0.97, 0.93, 0.85)  # of the arena, that the peak may be: placing adds to it
_CLOSER = (1.0, 0.995, 0.99, 0.98)  # the same, of an arena that is hardly more than the least
_CLOSE, _FEWER_NODES = 0.2, 20  # of the slack, for these; their search is shorter
_ROWS = (2, 1)  # that calls make, about
_AS_PRICED = 1.04  # times the cycles that kernels are priced at, that a plan takes with its calls
_MOST_SIZES = 8
_LITTLE = 64  # bytes of scratch
_FOR_COPIES = 128  # bytes of stack: a params struct, and its margin
_FASTER_TRIALS = 6  # of the packer, for kernels that are faster in the same bytes
_MORE_FLASH = 4  # of the flash, that a plan spends that is slow by far: 1/4
_CLIFFS = {Objective.RAM: (1.25, 1.03), Objective.BALANCED: (MORE_CYCLES, 1 + _MORE_ARENA)}
"""Times the least cycles that a plan may take, and times the least arena that others may."""


@dataclass(slots=True)
class LoweredRows:
    """A lowered graph by rows, for one target.

    Raises:
        Problems: nodes that no kernel runs, all of them.
        UsageError: the input is to be fed and cannot arrive row by row.
    """

    graph: Graph
    offers: Offers
    sharing: Sharing
    effort: Effort
    feed: bool
    packer: Packer = field(default_factory=Packer)
    _priced: dict[int, Priced] = field(default_factory=dict)  # by rows of a call
    _fewest: Chosen = field(init=False)  # bytes of scratch
    _leanest: RowProgram | None = field(init=False)
    _orders: RowOrders = field(init=False)
    _placer: Placer[RowProgram] = field(init=False)
    _packed: Packed = field(init=False)

    def __post_init__(self) -> None:
        self._packed = Packed(self.sharing, self.effort, packer=self.packer)
        single = self._of_calls(_ROWS[0]).single
        self._fewest = leanest_of(single)
        program = program_of(self.graph, self.offers.target, self._fewest)
        if self.feed:
            check_feedable(program, self.sharing)
        empty = any(step.rows == 0 for step in program.steps)
        many = not self.feed and (empty or has_too_many_rows(program))
        self._leanest = None if many else self._rowed(self._fewest)
        if self._leanest is not None:
            self._orders = RowOrders(self._leanest, self.effort)
            orders = self._orders
            price = price_of(self.graph, self.offers.target, single)
            self._placer = Placer(self._rowed, orders.peak, closer=orders.closer_peak, price=price)

    def _offered(self) -> Ways:
        """Ways to run each node; what reads an input that is fed does not hold all of it."""
        ways, fed = self.offers.of(self.graph), {port.tensor for port in self.graph.inputs}
        if not self.feed:
            return ways
        readers = set[str]()
        for node in self.graph.nodes:
            if fed.intersection(node.inputs):
                readers.add(node.name)
                fed |= {*node.outputs} if node.op.is_view else set()
        return {
            name: tuple(c for c in found if name not in readers or c.step.kernel.row_by_row)
            or found
            for name, found in ways.items()
        }

    def plans(self, aim: Aim, rating: Rating, enough: int | None = None) -> list[Plan]:
        """Plans for an objective; none where they must need ``enough`` bytes.

        None, too, where there are more rows than an order can be found of in reasonable time.
        There are several where calls make fewer rows than kernels were priced for, and for
        latency where copies of weights may need what the fastest one leaves.

        Raises:
            InputTooLarge: rows would lie further apart than the generated code can say.
        """
        lean, found = self._leanest, list[Plan]()
        if lean is None or (enough is not None and least_bytes(lean.graph) >= enough):
            return []
        for rows in _ROWS:
            ways = self._of_calls(rows)
            made = self._plans(ways, aim, rating)
            found += [self._roomy(plan, rating) for plan in made]
            if any(plan_cycles(plan) <= _AS_PRICED * ways.cycles(plan) for plan in made):
                break
        return found

    def _roomy(self, plan: Plan, rating: Rating) -> Plan:
        """The plan with faster forms of its kernels, where flash holds their structs."""
        roomy = with_roomy_runs(plan, plan.arena_bytes, self.sharing)
        return roomy if rating.in_flash(roomy) else plan

    def _plans(self, ways: Priced, aim: Aim, rating: Rating) -> list[Plan]:
        """Plans with kernels as they are priced."""
        asked = aim.objective
        if asked is Objective.LATENCY:
            return self._fastest(ways, aim, rating)
        plans = [self._planned(ways, aim)]
        if asked is Objective.FLASH and not rating.fits(plans[0]):
            plans = self._fastest(ways, aim, rating)
        if asked is Objective.RAM_STRICT:
            plans.append(self._planned(ways, replace(aim, objective=Objective.RAM)))
            plans.append(self._little(ways, aim))
        # Kernels go by the peak; packed, more of them may need no more, and then be faster.
        plan = min(plans, key=lambda plan: (plan.arena_bytes, rating.cycles(plan)))
        if asked in _CLIFFS and self.effort.trials:
            plan = self._less_slow(ways, aim, plan)
        return [replace(plan, selected=plan.selected and replace(plan.selected, objective=asked))]

    def _less_slow(self, ways: Priced, aim: Aim, plan: Plan) -> Plan:
        """A plan that is not slow by far in hardly more than the least arena, if one is found."""
        times, share = _CLIFFS[aim.objective]
        enough = times * sum(found[0].cycles for found in self.offers.of(self.graph).values())
        least = self._placer.size(self._fewest)
        large = aim.objective is Objective.BALANCED and plan.arena_bytes > share * least
        if (plan_cycles(plan) <= enough and not large) or not self._orders.are_quick:
            return plan
        lean_aim = replace(aim, objective=Objective.RAM, flash_share=_MORE_FLASH)
        slack, nodes = _CLOSE * self.effort.slack, self.effort.nodes // _FEWER_NODES
        closer = replace(self.effort, slack=slack, nodes=nodes)
        packed = Packed(self.sharing, closer, packer=self.packer)
        lean = self._made(self._fewest, lean_aim, 0, packed)
        room = int(share * min(lean.arena_bytes, plan.arena_bytes))
        packed = Packed(self.sharing, closer, room, self.packer)
        plans = [plan]
        slow = [
            index
            for index, (name, candidate) in enumerate(self._fewest.items())
            if ways.single[name][0].cycles < candidate.cycles
        ]

        def keeps_room(tried: Priced, part: float) -> bool:
            self._orders.leave_room(slow, int(part * room))
            self._placer.sizes.clear()
            made, _ = self._within(tried, lean_aim, int(part * room), packed)
            plans.append(with_roomy_runs(made, room, self.sharing))
            return plans[-1].arena_bytes <= room

        any(keeps_room(ways, part) for part in _CLOSER[: self.effort.trials])
        if (lean_ways := ways.in_lean_forms()).single != ways.single:
            keeps_room(lean_ways, 1.0)
        found = [p for p in plans if plan_cycles(p) <= max(enough, plan_cycles(plan))]
        within = [one for one in found if one.arena_bytes <= room]
        return min(within or [plan], key=plan_cycles)

    def _within(
        self, ways: Priced, aim: Aim, limit: int, packed: Packed | None = None, stack: int = 0
    ) -> tuple[Plan, Chosen]:
        """The fastest kernels whose peak keeps a limit, and runs as long as there is room.

        Those of the least flash, where that is asked for. With ``stack``, bytes of it that are
        there beside the limit, kernels that take less of it have more room.
        """
        small = aim.objective is Objective.FLASH
        wanted = aim if small else replace(aim, objective=Objective.LATENCY)
        choice = choose(ways.single, wanted, self._placed_by(stack), limit + stack)
        limit += stack - self._apart(choice.chosen) if stack else 0
        chosen = choice.chosen if small else self._faster(ways, choice.chosen, aim, limit)
        trade = replace(choice.trade, flash=self._flash(ways, chosen))
        plan = self._made(chosen, aim, limit, packed)
        return replace(plan, selected=Selected(aim.objective.value, trade)), chosen

    def _apart(self, chosen: Chosen) -> int:
        """Bytes of RAM beside the arena."""
        return apart_of(program_of(self.graph, self.offers.target, chosen))

    def _placed_by(self, stack: int) -> Placer[RowProgram]:
        """What choices take of the RAM: of all of it, where there is a stack, too."""
        orders = self._orders
        if not stack:
            return self._placer

        def needs(rowed: RowProgram) -> int:
            return orders.peak(rowed) + apart_of(rowed.program)

        def closer(rowed: RowProgram, nbytes: int, limit: int) -> int:
            apart = apart_of(rowed.program)
            return apart + orders.closer_peak(rowed, nbytes - apart, limit - apart)

        return self._placer.measured_by(needs, closer)

    def _of_calls(self, rows: int) -> Priced:
        """Kernels as priced for calls that make so many rows."""
        if rows not in self._priced:
            known = by_runs(self._offered(), self.offers.target, rows)
            plain, traded = traded_apart(known)
            self._priced[rows] = Priced(*tall_apart(plain), traded)
        return self._priced[rows]

    def _rowed(self, chosen: Chosen) -> RowProgram:
        program = program_of(self.graph, self.offers.target, chosen)
        return row_program(program, self.sharing, feed=self.feed)

    def _planned(self, ways: Priced, aim: Aim) -> Plan:
        """With kernels by the peak, and faster ones where they need no more."""
        choice = choose(ways.single, aim, self._placer)
        chosen, limit = choice.chosen, self._placer.size(choice.chosen)
        if aim.objective is Objective.BALANCED and choice.trade.least_arena is not None:
            limit = max(limit, int((1 + _MORE_ARENA) * choice.trade.least_arena))
        if aim.objective is not Objective.FLASH:
            chosen = self._faster(ways, chosen, aim, limit)
        plan = self._made(chosen, aim, limit)
        trade = replace(choice.trade, flash=self._flash(ways, chosen))
        return replace(plan, selected=Selected(aim.objective.value, trade))

    def _little(self, ways: Priced, aim: Aim) -> Plan:
        """With little scratch wherever there is a kernel like that: rows lie closer then.

        Faster ones follow where the arena stays as it is.
        """
        little = {
            name: tuple(c for c in found if _scratch(c)[0] <= _LITTLE)
            or (min(found, key=_scratch),)
            for name, found in ways.single.items()
        }
        choice = choose(little, aim, self._placer)
        lean, limit = choice.chosen, self._placer.size(choice.chosen)
        plans = [self._made(lean, aim, limit)]
        fast = self._faster(ways, lean, aim, limit)

        def fits(names: Sequence[str]) -> bool:
            trial = self._made({**lean, **{name: fast[name] for name in names}}, aim, limit)
            plans.extend([trial] if trial.arena_bytes <= plans[0].arena_bytes else [])
            return plans[-1] is trial

        other = [name for name, candidate in lean.items() if fast[name] is not candidate]
        other.sort(key=lambda name: fast[name].cycles - lean[name].cycles)
        chosen = {**lean, **{name: fast[name] for name in as_many(other, fits, _FASTER_TRIALS)}}
        fastest = fastest_of(ways.single)
        saved = self._placer.size(fastest) - self._placer.size(chosen)
        trade = replace(
            slower(fastest, chosen),
            saved_bytes=saved,
            least_arena=choice.trade.least_arena,
            flash=self._flash(ways, chosen),
        )
        return replace(plans[-1], selected=Selected(aim.objective.value, trade))

    def _fastest(self, ways: Priced, aim: Aim, rating: Rating) -> list[Plan]:
        """The fastest kernels that the RAM has room for; runs as long as there is room, too.

        Of a board whose flash is slow also those that leave the stack that a copy of weights takes.
        """
        plans: list[Plan] = []
        kept = _FOR_COPIES if self.offers.target.memory is not None else 0
        room = rating.room(self.offers.target) - kept
        for share in _PACKED:
            stack = apart_bytes(plans[0]) if plans else 0
            limit = int(share * (room - stack))
            plan, chosen = self._within(ways, aim, limit, stack=stack)
            plans.append(plan)
            fits = rating.fits(plan, apart_bytes(plan) + kept)
            if fits or not self._placed_by(stack).keeps(chosen, limit + stack):
                break
        return plans

    def _made(self, chosen: Chosen, aim: Aim, limit: int, packed: Packed | None = None) -> Plan:
        rowed = self._placer.best(chosen)
        found, make = self._orders.best(rowed), fed if self.feed else best_of
        return make(rowed, found, aim, packed or self._packed, limit)

    def _faster(self, ways: Priced, chosen: Chosen, aim: Aim, limit: int) -> Chosen:
        """A choice with kernels that make several rows, or keep more weights, as they fit.

        The more scratch a kernel takes, the faster, but the less is left for the others:
        several sizes are tried.
        """
        if not any(ways.tall.values()) and not any(ways.traded.values()):
            return chosen
        best = chosen
        sizes = sorted({_scratch(c)[0] for f in ways.traded.values() for c in f}, reverse=True)
        program = program_of(self.graph, self.offers.target, chosen)
        for most in sizes[:: -(-len(sizes) // _MOST_SIZES) or 1] or [0]:
            within = {
                n: tuple(c for c in f if c.step.scratch_bytes <= most)
                for n, f in ways.traded.items()
            }
            taken = bought(chosen, within, aim, program)
            found = faster_within(chosen, ways.affordable(within, taken), self._placer, limit)
            best = min(best, found, key=_cycles) if self._in_flash(found, chosen, aim) else best
            if all(found[name] is candidate for name, candidate in taken.items()):
                break
        return best

    def _in_flash(self, found: Chosen, before: Chosen, aim: Aim) -> bool:
        """Whether flash holds a choice, unless it is over either way."""
        price, limit = self._placer.price, aim.flash_limit
        return limit is None or price.of(found) <= max(limit, price.of(before))

    def _flash(self, ways: Priced, chosen: Chosen) -> FlashSpent | None:
        """What kernels that trade flash took more than the fastest of the others."""
        plain = {
            name: ways.single[name][0] if candidate.step.kernel.trades_flash else candidate
            for name, candidate in chosen.items()
        }
        if all(plain[name] is candidate for name, candidate in chosen.items()):
            return None
        target = self.offers.target
        before, after = (program_of(self.graph, target, one) for one in (plain, chosen))
        return spent(before, after, plain, chosen)


def _scratch(candidate: Candidate) -> tuple[int, float]:
    return candidate.step.scratch_bytes, candidate.cycles


def _row_bytes(candidate: Candidate) -> tuple[int, bool, float]:
    """Bytes of a row beside its inputs, whether all rows are held anyway, and cycles."""
    step = candidate.step
    made = 0 if step.inplace_inputs else step.signature.output.row_bytes
    return made + step.scratch_bytes, not step.kernel.row_by_row, candidate.cycles


def leanest_of(ways: Ways) -> dict[str, Candidate]:
    """Of each node the way to run it that holds the fewest bytes beside its inputs."""
    return {name: min(found, key=_row_bytes) for name, found in ways.items()}


def _cycles(chosen: Chosen) -> float:
    return sum(candidate.cycles for candidate in chosen.values())
