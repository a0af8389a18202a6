# SPDX-License-Identifier: Apache-2.0
"""The compilers and the counting plugin, where the machine has what they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcuplan.prove.counter import build_counter
from mcuplan.prove.toolchain import Compiler, cross_compiler, host_compiler


@pytest.fixture(scope="session")
def arm(arm_gcc: str, qemu: str) -> Compiler:
    """The cross compiler; the emulator is there, too."""
    return cross_compiler()


@pytest.fixture(scope="session")
def host(host_gcc: str) -> Compiler:
    """The computer's gcc."""
    return host_compiler()


@pytest.fixture(scope="session")
def counter(host: Compiler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The counting plugin, compiled once."""
    return build_counter(tmp_path_factory.mktemp("counter"), host)
