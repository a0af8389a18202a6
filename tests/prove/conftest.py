# SPDX-License-Identifier: Apache-2.0
"""Skips what needs a tool that is not installed, and says which."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mcuplan.prove.emulator import build_counter
from mcuplan.prove.toolchain import Compiler, cross_compiler, host_compiler


def _need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="session")
def arm() -> Compiler:
    """The cross compiler; the emulator is there, too."""
    _need("arm-none-eabi-gcc", "arm-none-eabi-objdump", "qemu-system-arm")
    return cross_compiler()


@pytest.fixture(scope="session")
def host() -> Compiler:
    """The computer's gcc."""
    _need("gcc")
    return host_compiler()


@pytest.fixture(scope="session")
def counter(host: Compiler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The counting plugin, compiled once."""
    return build_counter(tmp_path_factory.mktemp("counter"), host)
