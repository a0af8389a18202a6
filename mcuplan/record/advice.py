# SPDX-License-Identifier: Apache-2.0
"""What would make a model fit or make it faster, as the report and `mcuplan fit` have it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Literal

from mcuplan.record.limits import LEFT_OUT, one_of

__all__ = ["FIT_SCHEMA", "Advice", "Fit", "Needs", "Refuted", "Way"]

FIT_SCHEMA: Final = "mcuplan.fit/1"


class Needs(StrEnum):
    """What a way costs the user, the least first."""

    NOTHING = "nothing"
    RECALIBRATION = "recalibration"
    RETRAINING = "retraining"
    HARDWARE = "hardware"


@dataclass(frozen=True, slots=True)
class Way:
    """A plan that was asked for otherwise, made as it is for `check` with these options.

    Attributes:
        options: that ask for it, beside those that were given; none: as it was asked for.
        needs: nothing: options alone; recalibration: samples, and a look at what outputs lose;
            retraining: a model of another form; hardware: another board.
        ram_bytes: of arena, static data and stack; stack is modelled.
        flash_bytes: of weights, tables and code; code is modelled.
        cycles: of one inference, modelled.
        fits: whether it keeps every budget.
        loss: of the outputs against the float model, in percent; only where samples show it.
        measure: of what, as of `Loss`.
    """

    options: tuple[str, ...]
    needs: Needs
    ram_bytes: int
    flash_bytes: int
    cycles: int
    fits: bool
    loss: Annotated[float | None, LEFT_OUT] = None
    measure: Annotated[str | None, LEFT_OUT] = None


@dataclass(frozen=True, slots=True)
class Advice:
    """Ways to fit, or to be faster; by what they need, then by what they give.

    Attributes:
        ways: the first one is the plan as it was asked for.
        complete: whether there was time for all that were asked for.
    """

    ways: tuple[Way, ...]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Refuted:
    """Options with which no plan fits, whatever else is chosen.

    Attributes:
        options: beside those that were given.
        needs: as of `Way`.
        because: the bound that is above a budget.
    """

    options: tuple[str, ...]
    needs: Needs
    because: str


@dataclass(frozen=True, slots=True)
class Fit:
    """What a search for a way to fit found.

    Attributes:
        status: fits; over: nothing in the list does; unproven: there was no time for all of it.
        command: the words that ask for what fits; none: nothing does.
        needs: what that costs the user.
        tried: plans that were made, in order; the last one fits where one does.
        refuted: what no plan was needed for.
    """

    schema: Literal["mcuplan.fit/1"]
    tool_version: str
    model: str
    target: str
    status: Annotated[str, one_of("fits", "over", "unproven")]
    command: tuple[str, ...]
    needs: Annotated[Needs | None, LEFT_OUT]
    tried: tuple[Way, ...]
    refuted: tuple[Refuted, ...]
