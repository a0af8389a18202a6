# SPDX-License-Identifier: Apache-2.0
"""What tests of sample sources ask for, and what they are told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcuplan.calibrate import Reading, parse_preprocess
from mcuplan.errors import McuplanError, Problems


def asked(text: str) -> Reading:
    """Samples that are preprocessed as an option says."""
    return Reading(preprocess=parse_preprocess(text))


def problems_of(run: Callable[[], object]) -> list[McuplanError]:
    """All errors that a call raises."""
    with pytest.raises((Problems, McuplanError)) as caught:
        run()
    error = caught.value
    return list(error.errors) if isinstance(error, Problems) else [error]
