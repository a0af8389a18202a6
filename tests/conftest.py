# SPDX-License-Identifier: Apache-2.0
"""Options of the test suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --update-golden` writes the golden files anew; review the diff as code."""
    parser.addoption("--update-golden", action="store_true", help="write golden files anew")
