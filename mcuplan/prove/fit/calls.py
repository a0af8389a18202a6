# SPDX-License-Identifier: Apache-2.0
"""What plans by rows take beside their kernels, and how far kernels are off in networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mcuplan.price.cycles import work_of
from mcuplan.prove.bench import Row
from mcuplan.prove.fit.least_squares import constants_table
from mcuplan.prove.fit.random_networks import Counted, counted
from mcuplan.schedule.calls import kernel_cycles, taking_work
from mcuplan.schedule.program import FEED

__all__ = ["COUNT", "FIRST", "calls_text", "count_networks"]

COUNT, FIRST = 90, 1000
"""Random networks that are counted, and the seed of the first."""

_BY_ROWS = ("mplan_mean_of_sum_s8", "mplan_row_sum_s8")  # kernels that run in no other way
_SHORT = 3_000  # cycles of a call in which finding it shows
_HEAD = """# SPDX-License-Identifier: 0BSD
# Cycles that the source of plans by rows takes beside its kernels on a Cortex-M4 without wait
# states: finding a run of rows, taking rows that are fed; and kernels that only run by rows.
# `layers` is how far each kernel was off in the plans that run as a whole, at most: nothing was
# fitted to those. From {count} random networks, seeds {first} to {last}, counted on the emulator,
# gcc -O2. Made by `mcuplan bench --fit`: do not edit.
"""


def count_networks() -> tuple[Counted, ...]:
    """All of them, in every way that they can run.

    Raises:
        ToolMissing, ToolFailed: compiler or emulator missing, or failed.
    """
    return tuple(net for seed in range(FIRST, FIRST + COUNT) for net in counted(seed))


def calls_text(nets: Sequence[Counted]) -> str:
    """`cycles.toml` of the templates."""
    ways = {way: [net for net in nets if net.streaming == way] for way in ("off", "auto", "input")}
    held, held_spread = _beside(ways["auto"])
    fed, fed_spread = _beside(ways["input"])
    error = max(held_spread / held, fed_spread / fed)
    runs = [(net, held) for net in ways["auto"]] + [(net, fed) for net in ways["input"]]
    lines = [_HEAD.format(count=COUNT, first=FIRST, last=FIRST + COUNT - 1)]
    lines.append(f"[runs]\nheld = {held:.1f}\nfed = {fed:.1f}\nerror = {error:.2f}\n")
    lines.append(_table("taking", [_taking(net) for net in ways["input"]]))
    lines += [_table(f"kernels.{name}", _by_rows(runs, name)) for name in _BY_ROWS]
    lines.append("[layers]")
    for name, (worst, seen) in sorted(_layers(ways["off"]).items()):
        lines.append(f"{name} = {{ max_error = {worst + 0.0005:.3f}, counts = {seen} }}")
    return "\n".join(lines) + "\n"


def _row(kernel: str, parts: Mapping[str, float], counts: float) -> Row:
    return Row("", "", kernel, 0, 0, 0, round(counts), parts)


def _table(name: str, rows: Sequence[Row]) -> str:
    return f"{constants_table(name, rows, {})}counts = {len(rows)}\n"


def _beside(nets: Sequence[Counted]) -> tuple[float, float]:
    """Cycles beside the kernel in short calls: their median by plan, and how far others are."""
    found = []
    for net in nets:
        beside, calls = 0.0, 0
        for step in net.plan.program.steps:
            counts, own = net.of_step(step.index)
            if step.kernel.function not in _BY_ROWS and counts < _SHORT * own:
                beside += counts - _modelled(net, step.index)
                calls += own
        found += [beside / calls] if calls else []
    middle = float(np.median(found))
    return middle, float(np.percentile(np.abs(np.array(found) - middle), 95))


def _modelled(net: Counted, index: int) -> float:
    step = net.plan.program.steps[index]
    return kernel_cycles(net.plan, step).cycles


def _taking(net: Counted) -> Row:
    """All that is not runs of steps."""
    runs = [run for run in net.plan.runs if run.step == FEED]
    rows = sum(run.end - run.first for run in runs)
    parts = {**taking_work(net.plan, rows, rows), "hook": float(len(runs))}
    steps = sum(net.of_step(step.index)[0] for step in net.plan.program.steps)
    return _row("taking", parts, net.total - steps)


def _by_rows(nets: Sequence[tuple[Counted, float]], kernel: str) -> list[Row]:
    return [
        _row(
            kernel,
            work_of(step.kernel, step.signature, net.plan.rows_per_call(step)),
            counts - calls * run,
        )
        for net, run in nets
        for step in net.plan.program.steps
        if step.kernel.function == kernel
        for counts, calls in [net.of_step(step.index)]
    ]


def _layers(nets: Sequence[Counted]) -> Mapping[str, tuple[float, int]]:
    """By kernel, the most that one was off, and how many there were."""
    found: dict[str, tuple[float, int]] = {}
    for net in nets:
        for step in net.plan.program.steps:
            name = step.kernel.function
            missed = abs(_modelled(net, step.index) / net.of_step(step.index)[0] - 1)
            worst, count = found.get(name, (0.0, 0))
            found[name] = max(worst, missed), count + 1
    return found
