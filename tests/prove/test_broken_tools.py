# SPDX-License-Identifier: Apache-2.0
"""Tools that are not what their names say: each ends with status 4, its name and a hint."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_nets import small_net

from mcuplan.cli import run

SILENT = "exit 0"
VERSION = '[ "$1" = --version ] && {{ echo "{name} 12.2"; exit; }}\n'
GARBAGE = "printf '\\377\\376\\001 garbage \\033[2J\\n'"
ARM, OBJDUMP, QEMU = "arm-none-eabi-gcc", "arm-none-eabi-objdump", "qemu-system-arm"

# name of the tool, what it does, where it is used, words of the message
BROKEN = {
    "gcc that writes nothing": (
        "gcc",
        VERSION + SILENT,
        "host",
        "gcc ended well and did not write",
    ),
    "gcc without a version": ("gcc", SILENT, "host", "gcc --version names no version"),
    "gcc of garbage": ("gcc", GARBAGE, "host", "gcc --version names no version"),
    "gcc that fails": ("gcc", VERSION + "echo no way >&2; exit 3", "host", "no way"),
    "gcc that dies": ("gcc", VERSION + "kill -SEGV $$", "host", "gcc failed (killed by signal 11)"),
    "gcc of another kind": (
        "gcc",
        VERSION + 'while [ "$1" != -o ]; do shift; done; echo text > "$2"',
        "host",
        "gcc",
    ),
    "cross compiler that writes nothing": (
        ARM,
        VERSION + '[ "$1" = -print-file-name=libc.a ] && echo /libc.a\n' + SILENT,
        "emulator",
        f"{ARM} ended well and did not write",
    ),
    "cross compiler of garbage": (ARM, GARBAGE, "emulator", f"{ARM} --version names no version"),
    "cross compiler whose objects are empty text": (
        ARM,
        VERSION
        + '[ "$1" = -print-file-name=libc.a ] && echo /libc.a\n'
        + 'while [ $# -gt 0 ] && [ "$1" != -o ]; do shift; done; [ $# -eq 0 ] || echo x > "$2"',
        "emulator",
        "",
    ),
    "silent disassembler": (OBJDUMP, SILENT, "emulator", f"{OBJDUMP} disassembled nothing"),
    "disassembler of garbage": (OBJDUMP, GARBAGE, "emulator", f"{OBJDUMP} disassembled nothing"),
    "failing disassembler": (OBJDUMP, "exit 1", "emulator", f"{OBJDUMP} failed"),
    "silent emulator": (QEMU, SILENT, "emulator", f"{QEMU} takes no plugin"),
    "emulator of garbage": (QEMU, GARBAGE, "emulator", f"{QEMU} takes no plugin"),
    "emulator without results": (
        QEMU,
        "echo 'this QEMU supports only up to version 1' >&2; exit 0",
        "emulator",
        f"{QEMU} ended well and wrote 0 of 16 B of result.bin",
    ),
    "emulator with short results": (
        QEMU,
        "echo 'this QEMU supports only up to version 1' >&2\n"
        "{{ printf '\\001'; head -c 15 /dev/zero; }} > result.bin; exit 0",
        "emulator",
        "outputs.bin",
    ),
    "emulator that crashes": (
        QEMU,
        "echo 'this QEMU supports only up to version 1' >&2; kill -ABRT $$",
        "emulator",
        "",
    ),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, arm_gcc: str, qemu: str, host_gcc: str) -> Path:
    """A small network."""
    return small_net().save(tmp_path_factory.mktemp("model") / "net.onnx")


def _verify(model: Path, place: str) -> int:
    arguments = ["verify", str(model), "-t", "cortex-m4", "--calibration", "random", "--no-save"]
    return run([*arguments, "--on", place, "--samples", "1"])


def _put(name: str, text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / name
    program.write_text(text)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize("what", BROKEN)
def test_broken_tool(
    what: str,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The status is 4, the message names the tool, and nothing is a traceback."""
    name, script, place, words = BROKEN[what]
    _put(name, "#!/bin/sh\n" + script.format(name=name), tmp_path, monkeypatch)

    assert 4 == _verify(model, place)

    said = capsys.readouterr().err
    assert "error[tool/" in said
    assert "Traceback" not in said
    assert name in said
    assert words in said


@pytest.mark.parametrize(
    ("name", "place"),
    [("gcc", "host"), (ARM, "emulator"), (OBJDUMP, "emulator"), (QEMU, "emulator")],
)
@pytest.mark.parametrize("text", ["no program\n", "#!/no/such/interpreter\n", ""])
def test_no_program(
    name: str,
    place: str,
    text: str,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A file that the system cannot start is a tool that failed, with a hint."""
    _put(name, text, tmp_path, monkeypatch)

    assert 4 == _verify(model, place)

    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert f"{name} cannot be started" in said
    assert "hint: " in said
