# SPDX-License-Identifier: Apache-2.0
"""Several models in one image: what shares memory counts once, what does not is added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mcuplan import __version__
from mcuplan.budget.footprint import flash_bill, flash_of, region_uses
from mcuplan.budget.verdict import verdict_of
from mcuplan.emit.arenas import arena_bytes
from mcuplan.findings import Finding, Severity
from mcuplan.record import Budget, BuildFigures, BuildInfo, Flash, Limits, Planned, Ram, RegionUse
from mcuplan.record.joint import JOINT_SCHEMA, JointBudget, JointModel, JointProof
from mcuplan.schedule.code import joint_code
from mcuplan.schedule.program import Plan
from mcuplan.units import format_bytes

__all__ = ["Member", "assess_joint"]

_OWN = ("ram/", "flash/")  # findings of a model alone that those of all take the place of


@dataclass(frozen=True, slots=True)
class Member:
    """One of the models: its C prefix, its plan, and its own report."""

    name: str
    planned: Planned
    budget: Budget

    @property
    def plan(self) -> Plan:
        """Addresses and order."""
        return self.planned.plan


_Groups = Sequence[Sequence[str]]


def assess_joint(
    name: str,
    members: Sequence[Member],
    groups: _Groups,
    limits: Limits,
    build: BuildFigures | None = None,
    proof: tuple[JointProof, Sequence[Finding]] | None = None,
) -> JointBudget:
    """Every figure of the report and the verdict.

    Args:
        name: C prefix of all together.
        members: in the order of the command line.
        groups: names of models that never run at the same time; each model is in one.
        limits: the user's own budgets, of all together.
        build: sizes of all linked together; without it code is modelled.
        proof: what linking and running them showed.
    """
    ram, flash = _ram(members, groups), _flash(members, limits, build)
    uses = {region: sum(_most(members, groups, region)) for region in _regions(members)}
    states = sum(sum(member.plan.state_bytes.values()) for member in members)
    apart = ram.static_bytes + ram.stack_bytes - states
    regions = region_uses(members[0].plan.program.target, uses, apart, flash.total_bytes)
    found = [*_exceeded(members, groups, ram, flash, regions), *_inherited(members)]
    found += proof[1] if proof is not None else ()
    models = tuple(map(_model, members))
    return JointBudget(
        schema=JOINT_SCHEMA,
        tool_version=__version__,
        command="bundle",
        name=name,
        target=members[0].budget.target,
        models=models,
        groups=tuple(tuple(group) for group in groups),
        regions=regions,
        verdict=verdict_of(found),
        ram=ram,
        flash=flash,
        saved_ram_bytes=sum(model.ram_bytes for model in models) - ram.total_bytes,
        saved_flash_bytes=sum(model.flash_bytes for model in models) - flash.total_bytes,
        build=BuildInfo(build.compiler, build.flags) if build is not None else None,
        proof=proof[0] if proof is not None else None,
    )


def _model(member: Member) -> JointModel:
    budget = member.budget
    return JointModel(
        name=member.name,
        file=budget.model.name,
        sha256=budget.model.sha256,
        arena_bytes=budget.ram.arena_bytes + (budget.ram.state_bytes or 0),
        stack_bytes=budget.ram.stack_bytes,
        weights_bytes=budget.flash.weights_bytes,
        tables_bytes=budget.flash.tables_bytes,
        ram_bytes=budget.ram.total_bytes,
        flash_bytes=budget.flash.total_bytes,
        report=f"{member.name}.report.json",
    )


def _regions(members: Sequence[Member]) -> Mapping[str, None]:
    return dict.fromkeys(region for member in members for region in member.plan.memory)


def _most(members: Sequence[Member], groups: _Groups, region: str) -> Iterator[int]:
    """For each group the largest arena in a region."""
    held = {
        member.name: arena_bytes(member.plan.memory[region].arena_bytes)
        for member in members
        if region in member.plan.memory
    }
    for group in groups:
        yield max(held.get(name, 0) for name in group)


def _ram(members: Sequence[Member], groups: _Groups) -> Ram:
    """Arenas and stacks of a group are those of its largest; those of groups are added.

    Models of two groups may interrupt each other, or run in tasks that have each a stack.
    """
    bills = {member.name: member.budget.ram for member in members}
    first = members[0].budget.ram
    states = sum(bill.state_bytes or 0 for bill in bills.values())
    arena = sum(sum(_most(members, groups, region)) for region in _regions(members)) - states
    deepest = [max((bills[name] for name in g), key=lambda bill: bill.stack_bytes) for g in groups]
    static = sum(bill.static_bytes for bill in bills.values())
    stack = sum(bill.stack_bytes for bill in deepest)
    return replace(
        first,
        arena_bytes=arena,
        scratch_bytes=0,
        static_bytes=static,
        stack_bytes=stack,
        stack_margin_bytes=sum(bill.stack_margin_bytes for bill in deepest),
        total_bytes=arena + static + stack,
        state_bytes=states or None,
        arena_input_resident_bytes=None,
        arena_input_fed_bytes=None,
    )


def _flash(members: Sequence[Member], limits: Limits, build: BuildFigures | None) -> Flash:
    """Constants are added; kernels that several models call count once."""
    bills = [flash_bill(member.plan, limits, None) for member in members]
    weights = sum(bill.weights_bytes for bill in bills)
    tables = sum(bill.tables_bytes for bill in bills)
    programs = [member.plan.program for member in members]
    target = programs[0].target
    return flash_of(weights, tables, joint_code(programs, target), limits, build, target)


def _exceeded(
    members: Sequence[Member],
    groups: _Groups,
    ram: Ram,
    flash: Flash,
    regions: Sequence[RegionUse],
) -> Iterator[Finding]:
    """Budgets of all together that are not kept."""
    largest = max(members, key=lambda member: member.budget.ram.arena_bytes).name
    alone = [group[0] for group in groups if len(group) == 1]
    never = f"--exclusive {','.join(alone[:2])}, where they never run at the same time; "
    hint = f"{never if len(alone) > 1 else ''}--objective ram"
    over = ram.total_bytes - ram.budget_bytes
    if over > 0:
        text = f"RAM over by {format_bytes(over)}: {_of(ram.total_bytes, ram.budget_bytes)}"
        yield Finding("ram/over-budget", Severity.ERROR, text, largest, hint)
    for region in regions:
        if region.kind == "ram" and region.left_bytes < 0 and over <= 0:
            text = f"region {region.name} over by {format_bytes(-region.left_bytes)}"
            yield Finding("ram/over-budget", Severity.ERROR, text, largest, hint)
    over = flash.total_bytes - flash.budget_bytes
    if over > 0:
        largest = max(members, key=lambda member: member.budget.flash.weights_bytes).name
        text = f"flash over by {format_bytes(over)}: {_of(flash.total_bytes, flash.budget_bytes)}"
        fewer = "--objective flash, or weights of 4 bits (--weight-dtype int4)"
        if over <= flash.code_margin_bytes:
            margin = format_bytes(flash.code_margin_bytes)
            fewer = f"{margin} are the margin of modelled code: --build measures it"
        yield Finding("flash/over-budget", Severity.ERROR, text, largest, fewer)


def _of(used: int, budget: int) -> str:
    return f"{format_bytes(used)} of {format_bytes(budget)}"


def _inherited(members: Sequence[Member]) -> Iterator[Finding]:
    """What the reports of the models find, but for sizes of one alone and notes."""
    for member in members:
        for finding in member.budget.verdict.findings:
            if finding.severity is Severity.NOTE or finding.code.startswith(_OWN):
                continue
            where = f"{member.name}: {finding.where}" if finding.where else member.name
            yield replace(finding, where=where)
