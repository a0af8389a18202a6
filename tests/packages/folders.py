# SPDX-License-Identifier: Apache-2.0
"""Generated folders that tests build, and what is in them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from mcuplan.cli import run

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "models" / "digits_dscnn"
CALIBRATED = ("--calibration", str(DIGITS / "calibration.npz"))
AS_EXPECTED = "all values as expected"


def generated(folder: Path, target: str, packages: str, *more: str) -> Path:
    """The folder of the digits model for a target, with packages."""
    asked = ["generate", str(DIGITS / "model.onnx"), "-t", target, *CALIBRATED, "-q"]
    asked += ["--name", "digits", "-o", str(folder), "--streaming=off", "--effort=fast", *more]
    assert 0 == run([*asked, "--package", packages] if packages else asked)
    return folder


def program(*names: str) -> str:
    """Path of the first of some programs that is installed."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"{names[0]} is not installed")
    return found


def done(command: Sequence[str], folder: Path) -> str:
    """What a program says that must succeed."""
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert 0 == ended.returncode, (ended.stdout + ended.stderr)[-3000:]
    return ended.stdout + ended.stderr


def commands(folder: Path, title: str) -> list[str]:
    """The commands of a package in the README of a folder."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    (section,) = (part for part in text.split("\n## ") if part.startswith(f"{title}\n"))
    found = re.search(r"```sh\n(.*?)\n```", section, re.DOTALL)
    assert found is not None
    return found[1].split("\n")


def tried(folder: Path, title: str) -> str:
    """What the commands of a package say, one after the other, as its README has them."""
    return "".join(done(["sh", "-c", command], folder) for command in commands(folder, title))
