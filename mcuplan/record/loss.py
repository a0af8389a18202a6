# SPDX-License-Identifier: Apache-2.0
"""What outputs lose for less flash, RAM and time, as the report has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mcuplan.record.limits import LEFT_OUT, Magnitude

__all__ = ["MEAN_ERROR", "RELATIVE_ERROR", "IdleWeights", "Loss", "NearDead", "TypePoint"]

MEAN_ERROR = "mean absolute error"  # of labels
RELATIVE_ERROR = "relative output error"
"""What is measured where no labels are there."""


@dataclass(frozen=True, slots=True)
class NearDead:
    """Channels of a layer that its readers hardly see.

    Attributes:
        layer: its name.
        channels: how many of them.
        of: how many it has, without those that no output depends on.
        macs: that they cost, in the layer itself and for its inputs that go with them.
        activation_bytes: of the layer's output.
        weights_bytes: of the layer.
        removed: whether they are not in the generated code.
    """

    layer: str
    channels: int
    of: int
    macs: int
    activation_bytes: int
    weights_bytes: int
    removed: bool


@dataclass(frozen=True, slots=True)
class IdleWeights:
    """Weights of a layer that its outputs hardly show.

    Attributes:
        layer: its name.
        zero: of them that are 0.
        idle: others that, all at once, move no output by more than half a step on the samples.
        of: how many there are.
        macs: that all these cost.
        weights_bytes: that they take.
    """

    layer: str
    zero: int
    idle: int
    of: int
    macs: int
    weights_bytes: int


@dataclass(frozen=True, slots=True)
class Loss:
    """What outputs lose against the float model, in percent.

    Attributes:
        measure: top-1, auc or mean absolute error of the labels; relative output error without.
        samples: of calibration, that it was computed on.
        before: of the model as it is.
        after: of what the plan is of.
        allowed: how much more that may be.
    """

    measure: str
    samples: int
    before: float
    after: float
    allowed: Magnitude


@dataclass(frozen=True, slots=True)
class TypePoint:
    """A plan with other types of some layers.

    Attributes:
        loss: of the outputs against the float model, in percent.
        measure: of what, as of `Loss`.
        flash_bytes: of weights, tables and code; code is modelled.
        ram_bytes: of arena, static data and stack; stack is modelled.
        cycles: of one inference, modelled.
        options: that ask for it; none: as it was asked for.
        decisions: percent of the samples on which the largest score is that of the float model.
        chosen: whether of those within all limits it is the one to take.
        taken: whether the report is of it.
        in_proportion: times the cycles as asked for that it was to take at most, as time had no
            limit; none: it had, or the plan is not chosen for its flash.
    """

    loss: float
    measure: str
    flash_bytes: int
    ram_bytes: int
    cycles: int
    options: tuple[str, ...]
    decisions: Annotated[float | None, LEFT_OUT] = None
    chosen: bool = False
    taken: bool = False
    in_proportion: Annotated[float | None, LEFT_OUT] = None
