# SPDX-License-Identifier: Apache-2.0
"""What every file of the repository says, and what none does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from test_architecture import ROOT, _nodes, _python, _shown

SPDX = "# SPDX-License-Identifier: Apache-2.0"

_SUFFIXES = "c cff css h html in js json md py sh toml txt yml"
TEXT_FILES = {f".{suffix}" for suffix in _SUFFIXES.split()}
MACHINE_PATH = re.compile(r"(?:^|[^\w.:/])/(?:home|root|tmp|Users|work)/")


def _body(path: Path) -> list[ast.stmt]:
    module = _nodes(path)[0]
    assert isinstance(module, ast.Module)
    return module.body


def test_every_python_file_names_its_licence() -> None:
    """The first line of a Python file is its SPDX line."""
    wrong = [
        _shown(path)
        for path in _python("mcuplan", "tests", "models")
        if path.stat().st_size and path.read_text(encoding="utf-8").split("\n", 1)[0] != SPDX
    ]
    assert [] == wrong


def test_every_public_module_lists_its_names() -> None:
    """A module that is not private to its package and holds more than words has ``__all__``."""
    wrong = [
        _shown(path)
        for path in _python("mcuplan")
        if not re.match(r"_[a-z]|__main__", path.name)
        and len(_body(path)) > 1
        and not any(
            isinstance(node, ast.Assign | ast.AnnAssign) and "__all__" in ast.unparse(node)
            for node in _body(path)
        )
    ]
    assert [] == wrong


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    """No text file of the repository holds a path of somebody's computer."""
    folders = ("mcuplan", "codegen", "targets", "models", "tests", ".ci")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    files += [path for path in ROOT.iterdir() if path.suffix in TEXT_FILES]
    wrong = [
        _shown(path, number)
        for path in sorted(files)
        if path.is_file() and (path.suffix in TEXT_FILES or path.suffix == "")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert [] == wrong
