# SPDX-License-Identifier: Apache-2.0
"""How far modelled cycles are off for whole networks."""

from __future__ import annotations

from pathlib import Path

from mcuplan import pipeline
from mcuplan.budget.speed import step_cycles
from mcuplan.calibrate import random_data
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.prove.cores import core_named
from mcuplan.prove.proofs import Subject, count_on_core
from mcuplan.record import Request
from mcuplan.schedule.program import Plan, Streaming
from mcuplan.targets import Target

__all__ = ["count_network"]


def count_network(model: Path, target: Target, streaming: Streaming = "off") -> tuple[Plan, float]:
    """The plan of a network, and the share by which all its steps together are off.

    On a board, what they wait there is counted, too.

    Raises:
        McuplanError: the model has no plan.
        ToolMissing, ToolFailed: compiler or emulator missing, or failed.
    """
    request = Request(model, target, random_calibration=True, streaming=streaming)
    planned = pipeline.plan(request)
    plan = planned.plan
    feeds = boundary_inputs(planned.integer, random_data(planned.model.graph.inputs))
    one = {tensor: array[:1] for tensor, array in feeds.items()}
    core = core_named(target.core).with_flags(target.flags)
    counts = count_on_core(Subject(pipeline.generate(planned, "net"), plan), one, core)
    modelled = sum(step_cycles(step, plan).total for step in plan.program.steps)
    counted = sum((count.cycles or 0) + count.stalls.cycles for count in counts)
    return plan, abs(modelled / counted - 1)
