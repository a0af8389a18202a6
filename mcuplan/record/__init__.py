# SPDX-License-Identifier: Apache-2.0
"""The record that flows from pipeline to budget to reports: values, and nothing that makes them."""

from __future__ import annotations

from mcuplan.record.calibration import Calibration, ObserverTrial, RepairTrial
from mcuplan.record.evidence import Against, BuildFigures, Evidence, Limits
from mcuplan.record.layers import (
    Energy,
    FedRows,
    FinishingCalls,
    FrontierRow,
    Latency,
    LayerNoise,
    LayerRow,
    LevelRow,
    Selection,
    StallCycles,
    Stream,
)
from mcuplan.record.loss import Loss, NearDead, TypePoint
from mcuplan.record.model import ModelInfo, ModelName, ModelPort, TargetInfo, Totals
from mcuplan.record.planned import Planned, Request
from mcuplan.record.proof import (
    Accuracy,
    BuildInfo,
    ByClass,
    ChannelError,
    ClassRecall,
    ElfFigures,
    OutputError,
    StackFigures,
    Verification,
)
from mcuplan.record.report import (
    SCHEMA,
    Baseline,
    Budget,
    Growth,
    Kept,
    Status,
    Undecided,
    Verdict,
)
from mcuplan.record.sizes import BufferKind, BufferRow, Flash, Peak, Ram, RegionUse

__all__ = [
    "SCHEMA",
    "Accuracy",
    "Against",
    "Baseline",
    "Budget",
    "BufferKind",
    "BufferRow",
    "BuildFigures",
    "BuildInfo",
    "ByClass",
    "Calibration",
    "ChannelError",
    "ClassRecall",
    "ElfFigures",
    "Energy",
    "Evidence",
    "FedRows",
    "FinishingCalls",
    "Flash",
    "FrontierRow",
    "Growth",
    "Kept",
    "Latency",
    "LayerNoise",
    "LayerRow",
    "LevelRow",
    "Limits",
    "Loss",
    "ModelInfo",
    "ModelName",
    "ModelPort",
    "NearDead",
    "ObserverTrial",
    "OutputError",
    "Peak",
    "Planned",
    "Ram",
    "RegionUse",
    "RepairTrial",
    "Request",
    "Selection",
    "StackFigures",
    "StallCycles",
    "Status",
    "Stream",
    "TargetInfo",
    "Totals",
    "TypePoint",
    "Undecided",
    "Verdict",
    "Verification",
]
