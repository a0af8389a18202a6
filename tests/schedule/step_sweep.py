# SPDX-License-Identifier: Apache-2.0
"""Plans of many small random graphs in every way; run as a script for as many as there is time.

`python tests/schedule/step_sweep.py FIRST COUNT`
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

from step_graphs import random_steps

from mcuplan.backends import backend_of
from mcuplan.errors import UsageError
from mcuplan.schedule.accesses import wait_cycles
from mcuplan.schedule.assembly.dead import dead_bytes
from mcuplan.schedule.assembly.regions import spread
from mcuplan.schedule.explore.levels import levels
from mcuplan.schedule.kernels.objective import Aim, Objective
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.schedule.program import Sharing, Streaming
from mcuplan.targets import Target, load_target

__all__ = ["plan_in_every_way"]

_TARGETS = ("cortex-m0", "cortex-m4", "cortex-m55", "stm32h743")
_STREAMING: tuple[Streaming, ...] = ("off", "auto", "input")
_SHARING = (
    Sharing(),
    Sharing(),
    Sharing(views=False),
    Sharing(overlap=False),
    Sharing(in_place=False),
    Sharing(keep_inputs=True),
    Sharing(keep_outputs=True),
    Sharing(keep_inputs=True, keep_outputs=True),
)


def plan_in_every_way(seed: int) -> Iterator[str]:
    """Each way in which the graph of a seed was planned; every plan passed its checkers.

    An exception that is no refusal of a fed input is a fault of a planner.
    """
    rng = random.Random(seed)
    graph = random_steps(seed, rng.randint(3, 13))
    for streaming in _STREAMING:
        target, sharing = _target(rng.choice(_TARGETS)), rng.choice(_SHARING)
        aim = Aim(rng.choice(list(Objective)))
        way = f"{graph.name} {target.name} {streaming} {aim.objective.value} {sharing}"
        try:
            plan = plan_graph(graph, target, sharing, None, aim, streaming=streaming)
            divided = spread(plan, 400, keep_inputs=sharing.keep_inputs)
            assert len(divided.program.steps) == len(wait_cycles(divided))
            list(dead_bytes(divided))
            if streaming != "input":
                levels(graph, target, sharing, None, plan, streaming=streaming)
        except UsageError:
            assert streaming == "input"  # it has several inputs, or is needed at once
        except Exception as error:
            error.add_note(way)
            raise
        yield way


@cache
def _target(name: str) -> Target:
    target = load_target(name)
    return replace(target, backend=backend_of(target.features))


def main(arguments: Sequence[str]) -> int:
    """The number of faults, at most 1."""
    first, count = map(int, arguments)
    faults = 0
    for seed in range(first, first + count):
        try:
            list(plan_in_every_way(seed))
        except Exception as error:  # every kind is what is looked for
            faults += 1
            print(f"{type(error).__name__}: {error} {getattr(error, '__notes__', '')}", flush=True)
    print(f"{count} graphs, {faults} faults")
    return min(faults, 1)


if __name__ == "__main__":
    sys.path[:0] = [str(__file__).rpartition("/")[0]]
    sys.exit(main(sys.argv[1:]))
