# SPDX-License-Identifier: Apache-2.0
"""What outputs lose for less flash, RAM and time, as the report has it."""

from __future__ import annotations

from dataclasses import dataclass

from mcuplan.record.limits import Magnitude

__all__ = ["Loss", "NearDead"]


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
