# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mcuplan.resources import targets_dir
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


def _text(name: str) -> str:
    return (targets_dir() / f"{name}.toml").read_text(encoding="utf-8")


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


def test_names_have_a_source() -> None:
    """Every built-in table says where its names stand; a source is no name."""
    tables = {name: tomllib.loads(_text(name)).get("boards") for name in list_targets()}
    named = {name: table for name, table in tables.items() if table}
    assert len(named) > 10
    assert [] == [name for name, table in named.items() if not table.get("source")]
    assert all("source" not in load_target(name).boards for name in named)


def test_boards_of_one_name_for_many_say_which() -> None:
    """Arduino's core for STM32 builds for the first part of its list where none is told."""
    arduino = {name: load_target(name).boards.get("arduino", "") for name in list_targets()}
    families = {name: board for name, board in arduino.items() if "stm32" in board}
    assert families
    for name, board in families.items():
        part = name.upper().replace("-", "_")
        assert board.rpartition(":pnum=")[2] in (part, f"{part}_Q")
