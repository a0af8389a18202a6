# SPDX-License-Identifier: Apache-2.0
"""A fixture for pytest: ``assert_fits("kws.onnx", "nucleo-f411re", max_ram="64K")``.

pytest loads this module in every run: it imports nothing else before the fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

__all__ = ["assert_fits"]


@pytest.fixture(name="assert_fits", scope="session")
def assert_fits() -> Callable[..., Any]:
    """A function that fails the test where a model does not fit, and gives the report."""
    return _assert_fits


def _assert_fits(model: Any, target: Any, **options: Any) -> Any:
    """:func:`mcuplan.check` whose verdict must be that the model fits.

    Raises:
        AssertionError: it is over a budget or limit; the message is that of the report.
    """
    __tracebackhide__ = True
    from mcuplan.api import check

    report = check(model, target, **options)
    if report.verdict.status.value == "fits":
        return report
    said = [f"{report.model.name} on {report.target.name}"]
    for finding in report.verdict.findings:
        if finding.severity.value == "error":
            said.append(f"{finding.code}: {finding.message}")
            said += [f"  {text}" for text in (finding.where, finding.hint) if text]
    raise AssertionError("\n".join(said))
