# SPDX-License-Identifier: Apache-2.0
"""Models for every target, objective and way of streaming: nothing fails without a code.

`python tests/schedule/plan_sweep.py [--count N] [--seed S] MODEL_OR_FOLDER...` tries all, or N
of them drawn at random; a model is read once.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from pathlib import Path

from mcuplan import pipeline
from mcuplan.backends import backend_of
from mcuplan.budget import assess
from mcuplan.errors import McuplanError, Problems
from mcuplan.record import Planned, Request
from mcuplan.schedule.assembly.check_rows import check_rows
from mcuplan.schedule.explore.variants import Explored, levels_of
from mcuplan.schedule.kernels.objective import Objective
from mcuplan.schedule.program import Sharing, Streaming
from mcuplan.targets import Target, list_targets, load_target

__all__ = ["Way", "all_ways", "fault_of", "read"]

_STREAMING: tuple[Streaming, ...] = ("auto", "off", "input")


@dataclass(frozen=True, slots=True)
class Way:
    """How one model is planned."""

    target: str
    objective: str
    streaming: Streaming
    sharing: Sharing = field(default_factory=Sharing)

    def __str__(self) -> str:
        kept = "".join(
            f" --keep-{word}"
            for word, wanted in (
                ("input", self.sharing.keep_inputs),
                ("output", self.sharing.keep_outputs),
            )
            if wanted
        )
        return f"-t {self.target} --objective {self.objective} --streaming {self.streaming}{kept}"


def all_ways() -> list[Way]:
    """Every target, objective and way of streaming; and some that keep inputs or outputs."""
    sharings = (Sharing(), Sharing(keep_inputs=True), Sharing(keep_outputs=True))
    plain = product(list_targets(), [o.value for o in Objective], _STREAMING)
    kept = product(("cortex-m4", "stm32h743"), ("balanced",), _STREAMING, sharings[1:])
    return [*(Way(*each) for each in plain), *(Way(*each) for each in kept)]


def read(model: Path) -> Planned:
    """A model on its way to a target, read once for all of them."""
    target = _target("cortex-m4")
    return pipeline.plan(Request(model, target, streaming="off"), sizes_only=True)


def fault_of(planned: Planned, way: Way) -> str:
    """What goes wrong that has no code; empty where nothing does."""
    request = replace(
        planned.request,
        target=_target(way.target),
        objective=way.objective,
        streaming=way.streaming,
        sharing=way.sharing,
    )
    try:
        made = pipeline.plan_for(replace(planned, request=request), request.target)
        check_rows(made.plan, keep_inputs=way.sharing.keep_inputs)
        assess(made, explored=Explored(levels_of(made)))
        pipeline.generate(made, "model")
    except (McuplanError, Problems):
        return ""  # a refusal: it has a code, a place and a hint
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


@cache
def _target(name: str) -> Target:
    target = load_target(name)
    return replace(target, backend=backend_of(target.features))


def _models(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(path.rglob("*.onnx")) if path.is_dir() else (path,)


def main(arguments: Sequence[str]) -> int:
    """1 where something failed without a code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--count", type=int, help="of ways for each model; by default all")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    faults = tried = 0
    for model in _models(asked.models):
        try:
            planned = read(model)
        except (McuplanError, Problems) as error:
            print(f"{model}: {error}", flush=True)
            continue
        ways, rng = all_ways(), random.Random(f"{asked.seed} {model.name}")
        if asked.count is not None:
            ways = rng.sample(ways, min(asked.count, len(ways)))
        for way in ways:
            tried += 1
            fault = fault_of(planned, way)
            if fault:
                faults += 1
                print(f"{model} {way}: {fault}", flush=True)
    print(f"{tried} plans, {faults} faults")
    return min(1, faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
