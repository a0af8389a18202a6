# SPDX-License-Identifier: Apache-2.0
"""Options and fixtures of the whole suite: what a machine may lack is skipped with a reason.

Helper modules stand beside the tests that use them and are imported by their bare names, so
no two have one name; test files may.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from mcuplan.prove import toolchain

_HERE = Path(__file__).resolve().parent
sys.path.extend(sorted({str(file.parent) for file in _HERE.rglob("*.py")}))

from run_objects import RunObjects  # noqa: E402  (found by the line above)

# A change is judged on the cases of the change before; MCUPLAN_TEST_RANDOM=1 looks for new ones.
# How long a case takes says how busy the machine is, and nothing about the case.
settings.register_profile(
    "here",
    derandomize="MCUPLAN_TEST_RANDOM" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("here")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --update-golden` writes the golden files anew; review the diff as code."""
    parser.addoption("--update-golden", action="store_true", help="write golden files anew")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked slow measure or mutate all kernels: minutes, and CI has them."""
    if "MCUPLAN_TEST_SLOW" not in os.environ:
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="slow; MCUPLAN_TEST_SLOW=1"))


def pytest_collection_finish() -> None:
    """Ten thousand tests and all modules stay to the end: nobody looks for them in between."""
    gc.freeze()


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.fixture(scope="session")
def arm_gcc() -> str:
    """Path of the cross compiler."""
    _program("arm-none-eabi-objdump")
    return _program("arm-none-eabi-gcc")


COUNTED_WITH = "12.2"
"""Version of arm-none-eabi-gcc with which the figures that are kept were counted."""


@pytest.fixture(scope="session")
def counted_gcc(arm_gcc: str) -> str:
    """Path of the cross compiler, which is the one that figures of cycles are kept for."""
    asked = subprocess.run([arm_gcc, "-dumpfullversion"], capture_output=True, text=True)
    version = asked.stdout.strip()
    if not version.startswith(f"{COUNTED_WITH}."):
        pytest.skip(f"figures are kept for arm-none-eabi-gcc {COUNTED_WITH}; this is {version}")
    return arm_gcc


@pytest.fixture(scope="session", autouse=True)
def run_objects(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What one process of a test run compiled, the others take; a run starts with nothing."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # that of the run, with a folder of each process
    (folder / "objects").mkdir(exist_ok=True)
    toolchain.OBJECTS = RunObjects(folder / "objects")


@pytest.fixture(scope="session")
def host_gcc() -> str:
    """Path of the computer's gcc."""
    return _program("gcc")


@pytest.fixture(scope="session")
def qemu() -> str:
    """Path of the emulator."""
    return _program("qemu-system-arm")


@pytest.fixture(scope="session")
def test_models() -> Path:
    """Folder of public models, one folder each, that are too large for the repository."""
    folder = os.environ.get("MCUPLAN_TEST_MODELS")
    if not folder:
        pytest.skip("MCUPLAN_TEST_MODELS does not name a folder of test models")
    return Path(folder)
