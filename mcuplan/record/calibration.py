# SPDX-License-Identifier: Apache-2.0
"""Where the ranges of activations come from, as the report has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mcuplan.facts import RepairKind
from mcuplan.record.limits import LEFT_OUT, Magnitude
from mcuplan.record.loss import IdleWeights, Loss, NearDead, TypePoint

__all__ = ["Calibration", "ObserverTrial", "RepairTrial"]


@dataclass(frozen=True, slots=True)
class ObserverTrial:
    """One observer on the samples that were held back.

    Attributes:
        sqnr_db: signal to noise of the outputs of a typical sample, at most 200 dB.
    """

    observer: str
    sqnr_db: float


@dataclass(frozen=True, slots=True)
class RepairTrial:
    """One kind of repair on samples that nothing was fitted to.

    Attributes:
        before_db: signal to noise of the outputs of a typical sample without it.
        after_db: with it.
        samples: that were held back.
        kept: whether the model has it.
    """

    kind: RepairKind
    before_db: float
    after_db: float
    samples: int
    kept: bool


@dataclass(frozen=True, slots=True)
class Calibration:
    """Samples that ranges were observed on, and how.

    Attributes:
        samples: that ranges were observed on.
        held_back: that were not, to compare observers on.
        observer: of all tensors but those that were given one by name.
        gain_db: of the observer over minmax on the samples held back.
        trials: the observers that were compared.
        repairs: what was tried about the error of the grids, in order.
        near_dead: channels that their readers hardly see, by layer.
        idle_weights: weights that outputs hardly show, by layer.
        loss: of the outputs, where some of it is allowed.
        types: plans with other types of some layers, where that was asked for.
    """

    samples: int
    held_back: int
    observer: str
    gain_db: Annotated[Magnitude | None, LEFT_OUT] = None
    trials: Annotated[tuple[ObserverTrial, ...], LEFT_OUT] = ()
    repairs: Annotated[tuple[RepairTrial, ...], LEFT_OUT] = ()
    near_dead: Annotated[tuple[NearDead, ...], LEFT_OUT] = ()
    idle_weights: Annotated[tuple[IdleWeights, ...], LEFT_OUT] = ()
    loss: Annotated[Loss | None, LEFT_OUT] = None
    types: Annotated[tuple[TypePoint, ...], LEFT_OUT] = ()
