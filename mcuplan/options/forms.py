# SPDX-License-Identifier: Apache-2.0
"""Options of other plans, of other forms of a model, and of a library to build with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from mcuplan.facts import RepairKind
from mcuplan.options.values import CHANGE, FILE, GRID, SECONDS

__all__ = ["advice", "grid", "library", "no_repair", "repair", "reshape", "time_limit"]

F = TypeVar("F", bound=Callable[..., Any])

reshape = click.option(
    "--reshape",
    "changes",
    type=CHANGE,
    multiple=True,
    help="Figures of a model of another form, which is still to be trained: width=0.5 of the"
    " channels, input=96 or ROWSxCOLUMNS of its image, separable=LAYER as depthwise and 1x1.",
)
grid = click.option(
    "--grid",
    "axes",
    type=GRID,
    multiple=True,
    help="Every combination of forms of a model, which are still to be trained: width=0.25,0.5 of"
    " the channels, input=96,128 of its image; weights are placeholders.",
)
advice = click.option(
    "--advice",
    is_flag=True,
    help="Plan every way to fit, or to be faster: options, other types, other forms of the"
    " model, other boards. Over a budget the first ones are there anyway.",
)
library = click.option(
    "--cmsis-nn",
    "library",
    envvar="MCUPLAN_CMSIS_NN",
    type=FILE,
    metavar="DIR",
    help="Your copy of CMSIS-NN, to build with what --backend cmsis_nn calls.",
)


def time_limit(seconds: float, about: str) -> Callable[[F], F]:
    """How long may be looked for something."""
    settings: dict[str, Any] = {"default": seconds, "show_default": True, "metavar": "S"}
    return click.option("--time-limit", type=SECONDS, help=about, **settings)


_KINDS = click.Choice([kind.value for kind in RepairKind])
repair = click.option(
    "--repair",
    "repairs",
    type=_KINDS,
    multiple=True,
    help="One kind of repair beside those of --quantize-effort; kept where outputs of inputs held"
    " back gain by it.",
)
no_repair = click.option(
    "--no-repair", "no_repairs", type=_KINDS, multiple=True, help="Leave out one kind of repair."
)
