# SPDX-License-Identifier: Apache-2.0
"""How target files describe the flash memory that code and constants are read from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mcuplan.memory_system import MemorySystem
from mcuplan.targets import describe, lint, list_targets, load_target

BOARD = """\
name = "my-board"
extends = "cortex-m4"
clock_hz = 80_000_000
sources.clock_hz = "our clock tree"

[[region]]
name = "sram"
kind = "ram"
bytes = 131_072
source = "datasheet, table 2"

[[region]]
name = "flash"
kind = "flash"
bytes = 524_288
source = "datasheet, table 2"
"""
FLASH = """
[flash]
wait_states = [{ up_to_hz = 40_000_000, value = 1 }, { up_to_hz = 90_000_000, value = 3 }]
read_bytes = 16
line_bytes = 32
icache_lines = 32
dcache_lines = 8
prefetch = true

[flash.sources]
wait_states = "manual, table 9"
read_bytes = "manual, section 3"
caches = "manual, section 4"
prefetch = "manual, section 4"
"""
XIP = """
[xip]
line_bytes = 8
lines = 2_048
cycles_per_line = 60

[xip.sources]
lines = "datasheet, cache"
cycles_per_line = "measured on the bench"
"""


def _file(folder: Path, text: str) -> Path:
    path = folder / "board.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", list_targets())
def test_boards_describe_their_flash(name: str) -> None:
    """Generic cores never wait; real parts say what they wait for, but those that run from TCM."""
    target = load_target(name)
    if target.generic or target.core == "cortex-m55":
        assert target.memory is None
        return
    memory = target.memory
    assert memory is not None
    assert memory.wait_states > 0
    keys = {"lines", "cycles_per_line"} if "lines" in memory.sources else {"wait_states"}
    assert keys | {"bus"} <= memory.sources.keys()
    assert all(memory.sources.values())
    assert memory.rules == (target.core == "cortex-m4")
    assert not any(region.wait_states for region in target.flash)  # one place for a fact


def test_wait_states_are_those_of_the_clock(tmp_path: Path) -> None:
    """The row of the slowest clock that is not exceeded counts."""
    fast = load_target(_file(tmp_path, BOARD + FLASH)).memory
    slow = load_target(_file(tmp_path, BOARD.replace("80_000", "40_000") + FLASH)).memory

    assert MemorySystem(3, 16, 32, 32, 8, prefetch=True, rules=True) == _without_sources(fast)
    assert slow is not None
    assert 1 == slow.wait_states


def _without_sources(memory: MemorySystem | None) -> MemorySystem | None:
    """The same without sources."""
    return replace(memory, sources={}) if memory else None


def test_a_serial_flash_reads_whole_lines(tmp_path: Path) -> None:
    """One cache for code and constants, filled line by line."""
    memory = load_target(_file(tmp_path, BOARD + XIP)).memory

    assert MemorySystem(60, 8, 8, 2048, unified=True, rules=True) == _without_sources(memory)


def test_a_users_file_changes_one_key(tmp_path: Path) -> None:
    """Of a board that is extended, each key of the flash is inherited, sources too."""
    text = 'name = "two-banks"\nextends = "nucleo-l4r5zi"\n[flash]\nread_bytes = 8\n'
    own = load_target(_file(tmp_path, text + 'sources.read_bytes = "dual bank"\n')).memory
    base = load_target("nucleo-l4r5zi").memory

    assert own is not None
    assert base is not None
    assert (8, base.wait_states) == (own.read_bytes, own.wait_states)
    assert "dual bank" == own.sources["read_bytes"]
    assert base.sources["caches"] == own.sources["caches"]


MISTAKES = [
    ("value = 3", "value = -1", "flash.wait_states[1].value"),
    ("value = 3", 'value = "3"', "flash.wait_states[1].value"),
    ("value = 3", "value = 99_999", "flash.wait_states[1].value"),
    ("value = 3 }", "value = 3, v = 1 }", "flash.wait_states[1].v"),
    ("90_000_000", "40_000_000", "flash.wait_states"),
    ("90_000_000", "70_000_000", "flash.wait_states"),
    ("90_000_000", "30_000_000", "flash.wait_states[1].up_to_hz"),
    ("wait_states = [{", "wait_states = [7, {", "flash.wait_states[0].up_to_hz"),
    ("read_bytes = 16", "read_bytes = 12", "flash.read_bytes"),
    ("read_bytes = 16", "read_bytes = 2", "flash.read_bytes"),
    ("read_bytes = 16", "read_bytes = 0", "flash.read_bytes"),
    ("read_bytes = 16", "read_bytes = 1e9", "flash.read_bytes"),
    ("read_bytes = 16\n", "", "flash.read_bytes"),
    ("line_bytes = 32", "line_bytes = 8", "flash.line_bytes"),
    ("line_bytes = 32", "line_bytes = 48", "flash.line_bytes"),
    ("line_bytes = 32", "line_bytes = 1024", "flash.line_bytes"),
    ("line_bytes = 32\n", "", "flash.line_bytes"),
    ("icache_lines = 32", "icache_lines = 1_000_000", "flash.icache_lines"),
    ("dcache_lines = 8", "dcache_lines = true", "flash.dcache_lines"),
    ("prefetch = true", "prefetch = 1", "flash.prefetch"),
    ("prefetch = true", "unified = true\nprefetch = true", "flash.dcache_lines"),
    ("prefetch = true", "prefetch = true\nbanks = 2", "flash.banks"),
    ('caches = "manual, section 4"\n', "", "flash.sources.caches"),
    ('caches = "manual', 'cashes = "manual', "flash.sources.cashes"),
    ("[flash]", "[flash]\nbus = 7", "flash.bus"),
    ("[flash]", XIP + "[flash]", "xip"),
]


@pytest.mark.parametrize(("old", "new", "key"), MISTAKES)
def test_each_mistake_is_found(tmp_path: Path, old: str, new: str, key: str) -> None:
    """Sizes, values, order and sources are checked; the place is named, and what to do."""
    assert old in FLASH

    errors = lint(_file(tmp_path, BOARD + FLASH.replace(old, new, 1)))

    assert f"board.toml: {key}" in [error.where for error in errors]
    assert all(error.code.startswith("target/") and error.hint for error in errors)


@pytest.mark.parametrize(
    "text",
    [
        "flash = 7\n",
        "flash = [1]\n",
        "flash.wait_states = []\nflash.read_bytes = 4\n",
        f"flash.wait_states = {[7] * 100}\nflash.read_bytes = 4\n",
        "xip = true\n",
        "[xip]\nline_bytes = 8\nlines = -1\ncycles_per_line = 0\n",
    ],
)
def test_other_shapes_are_coded_errors(tmp_path: Path, text: str) -> None:
    """Whatever stands in place of a table or a list is an error of the file."""
    at_top = text.startswith(("flash", "xip"))
    errors = lint(_file(tmp_path, text + BOARD if at_top else BOARD + text))

    assert errors
    assert all(error.code.startswith("target/") for error in errors)


def test_describe_shows_flash_and_sources() -> None:
    """Width and waits of a read, caches, and whether the next read is made ahead."""
    rows = {what: (figure, source) for what, figure, source in describe(load_target("rp2040"))}

    assert "64 wait states, 8 B" == rows["flash read"][0]
    assert "2048 x 8 B, for both" == rows["flash caches"][0]
    assert "W25Q16JV" in rows["flash read"][1]
