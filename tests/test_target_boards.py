# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from mcuplan.targets import lint, list_targets, load_target

EXTENDS = 'name = "mine"\nextends = "nucleo-f446re"\n'
OF_A_CORE = """
name = "mine"
extends = "cortex-m4"
clock_hz = 80_000_000
sources.clock_hz = "ours"
region = [
    { name = "sram", kind = "ram", bytes = 131_072, source = "ours" },
    { name = "flash", kind = "flash", bytes = 524_288, source = "ours" },
]
"""


def _file(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_boards_have_the_names_that_build_systems_have(tmp_path: Path) -> None:
    """A file names its board, or takes the names of the board it extends; those of a core stay."""
    assert {"zephyr": "mps2/an386"} == load_target("cortex-m4").boards
    assert {} == load_target(_file(tmp_path, OF_A_CORE)).boards
    stated = f'{OF_A_CORE}\n[boards]\nzephyr = "our_board/stm32"\nplatformio = "our"\n'
    names = {"zephyr": "our_board/stm32", "platformio": "our"}
    assert names == load_target(_file(tmp_path, stated)).boards
    assert load_target("nucleo-f446re").boards == load_target(_file(tmp_path, EXTENDS)).boards


@pytest.mark.parametrize(
    "wrong", ['zephyr = "a b"', 'zephyr = "-x"', 'zephyr = "$(x)"', 'make = "x"', "arduino = 1"]
)
def test_names_are_nothing_but_names(wrong: str, tmp_path: Path) -> None:
    """Nothing that a shell, CMake or YAML would take for more, and of no other build system."""
    assert 1 == len(lint(_file(tmp_path, f"{EXTENDS}\n[boards]\n{wrong}\n")))


def test_a_board_of_platformio_has_a_platform() -> None:
    """Every built-in target that names one names the other."""
    boards = [load_target(name).boards for name in list_targets()]
    assert any("platformio" in named for named in boards)
    assert all(("platformio" in named) == ("platform" in named) for named in boards)
