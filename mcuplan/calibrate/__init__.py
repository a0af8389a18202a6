# SPDX-License-Identifier: Apache-2.0
"""Runs the float graph on samples and hands the ranges of its tensors to the quantizer."""

from __future__ import annotations

from mcuplan.calibrate.data import Data, random_data
from mcuplan.calibrate.input_ranges import stated_ranges, within
from mcuplan.calibrate.observe import observe
from mcuplan.calibrate.ranges import Calibrated, Observers, calibrate
from mcuplan.calibrate.reading import Preprocess, Reading, Windows, parse_preprocess
from mcuplan.calibrate.runtime import AnyRuntime, Runtime
from mcuplan.calibrate.sources import read_data
from mcuplan.calibrate.states import RuntimeStates

__all__ = [
    "AnyRuntime",
    "Calibrated",
    "Data",
    "Observers",
    "Preprocess",
    "Reading",
    "Runtime",
    "RuntimeStates",
    "Windows",
    "calibrate",
    "observe",
    "parse_preprocess",
    "random_data",
    "read_data",
    "stated_ranges",
    "within",
]
