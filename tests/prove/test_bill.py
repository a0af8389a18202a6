# SPDX-License-Identifier: Apache-2.0
"""The bill of the report against the plan and the linked image."""

from __future__ import annotations

from dataclasses import replace

import pytest
from networks import STAMP, tiny_plan, tiny_rows_plan

from mcuplan.budget.footprint import flash_bill, ram_bill
from mcuplan.emit import emit
from mcuplan.prove.bill import bill_findings
from mcuplan.prove.cores import core_named
from mcuplan.prove.evidence import measured_build
from mcuplan.prove.proofs import Subject, measure_on_core
from mcuplan.record import Limits


@pytest.mark.parametrize("form", ["whole", "rows", "fed"])
def test_a_modelled_bill_adds_up(form: str) -> None:
    """Arena, context and stack, each once; a total without one of them is named."""
    plan = tiny_plan() if form == "whole" else tiny_rows_plan(feed=form == "fed")
    ram, flash = ram_bill(plan, Limits(), None), flash_bill(plan, Limits(), None)
    assert [] == list(bill_findings(plan, ram, flash, None))
    for part in (ram.stack_bytes, ram.static_bytes, ram.arena_bytes):
        wrong = replace(ram, total_bytes=ram.total_bytes - part)
        assert ["elf/drift"] == [f.code for f in bill_findings(plan, wrong, flash, None)]


@pytest.mark.parametrize("fed", [False, True])
def test_a_measured_bill_is_that_of_the_image(fed: bool, arm_gcc: str) -> None:
    """RAM and flash of the report are the linked bytes and the stack's bound."""
    plan = tiny_rows_plan() if fed else tiny_plan()
    measured = measure_on_core(Subject(emit(plan, "t", STAMP), plan), core_named("cortex-m4"))
    build = measured_build(measured)
    ram, flash = ram_bill(plan, Limits(), build), flash_bill(plan, Limits(), build)
    assert [] == list(bill_findings(plan, ram, flash, measured))
    ram, flash = replace(ram, total_bytes=1), replace(flash, total_bytes=2)
    found = [finding.message for finding in bill_findings(plan, ram, flash, measured)]
    assert ["flash of", "RAM of t"] == [message[:8] for message in found]
