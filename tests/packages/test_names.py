# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from folders import AS_EXPECTED, CALIBRATED, DIGITS, done, program

from mcuplan.cli import run
from mcuplan.options.values import PACKAGES

FILE = "a\"b'c\\d$(touch f)${g}`h`@{i}#j%k]]>l*|m<script>&amp;\n- n: o\u202e\u00e9.onnx"
"""What a shell, make, CMake, YAML, XML, Kconfig, Markdown or C would take for their own."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All packages of a model whose file has a name that is meant to do harm."""
    place = tmp_path_factory.mktemp("n")
    try:
        shutil.copy(DIGITS / "model.onnx", place / FILE)
    except OSError:
        pytest.skip("the file system has no such name")
    asked = ["generate", str(place / FILE), "-t", "cortex-m4", *CALIBRATED, "-q", "--backend=c99"]
    asked += ["--package", ",".join(PACKAGES), "-o", str(place / "d")]
    assert 0 == run(asked)
    return place / "d"


def test_names_of_files_are_text_everywhere(folder: Path) -> None:
    """Each file is read as what it is, and the name starts nothing in it."""
    yaml, kconfiglib = pytest.importorskip("yaml"), pytest.importorskip("kconfiglib")
    (bill,) = folder.glob("*.cdx.json")
    (model,) = (
        part
        for part in json.loads(bill.read_text(encoding="ascii"))["components"]
        if part["type"] == "machine-learning-model"
    )
    assert model["name"].startswith(FILE[:20])
    assert "\n" not in model["name"]
    (pack,) = folder.glob("*.pdsc")
    assert [] == list(ElementTree.parse(pack).iter("script"))
    for path in (*folder.rglob("*.yml"), *folder.rglob("*.ini")):
        text = path.read_text(encoding="ascii")
        assert "touch f)" not in text
        if path.suffix == ".yml":
            assert "n" not in yaml.safe_load(text)
    kconfiglib.Kconfig(str(folder / "zephyr" / "Kconfig"), warn_to_stderr=False)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "<script>" not in readme
    assert "`h`" not in readme
    lines = (folder / "library.properties").read_text(encoding="ascii").splitlines()
    assert all("=" in line for line in lines)


def test_names_of_files_do_nothing_when_built(folder: Path, tmp_path: Path, host_gcc: str) -> None:
    """CMake and make build the folder, and no command of the name runs."""
    cmake, make = program("cmake"), program("make")
    done([cmake, "-S", str(folder), "-B", "b"], tmp_path)
    done([cmake, "--build", "b"], tmp_path)
    assert AS_EXPECTED in done(
        [make, "-C", str(folder), "run-here", f"BUILD={tmp_path}/m"], tmp_path
    )
    found = {path.name for place in (folder, tmp_path, Path.cwd()) for path in place.iterdir()}
    assert "f" not in found
