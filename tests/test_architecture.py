# SPDX-License-Identifier: Apache-2.0
"""The house keeps its shape: who imports whom, how large a file gets, what is allowed where.

Each test collects every violation, so that one run names them all.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PAGE = ROOT / "docs" / "architecture.md"


def _floors() -> Iterator[list[str]]:
    """Parts of each floor, from the top: words in front of a gap; lines are between floors."""
    drawing = PAGE.read_text(encoding="utf-8").split("```floors\n")[1].split("```")[0]
    for floor in re.split(r"(?m)^ \u2500+$", drawing):
        names = (re.split(r" {2,}", line.strip())[0] for line in floor.splitlines())
        yield [part for line in names for part in line.split()]


ORDER = list(chain.from_iterable(reversed(list(_floors()))))
"""A module imports only from names to its left, as the page on architecture draws them."""

# What a part must not know though it stands to its left.
STRANGERS = {  # tables of numbers, not tensors or operators: nothing else, nor each other
    f"solvers.{room}": {"errors", "units", "solvers"} for room in ("packing", "steps", "rows")
}
KNOW_NO_OPERATOR = ("emit", "prove", "report")

MAY_IMPORT = {  # heavy package -> where in mcuplan/
    "onnx": ("importer/", "exporter/"),
    "onnxruntime": ("calibrate/runtime.py",),
    "jinja2": ("report/_markup.py",),
    "PIL": ("calibrate/images.py",),
    "elftools": ("prove/elf.py",),
    "pyarrow": ("sweep/table.py", "pareto/table.py"),
    "distributed": ("sweep/on_dask.py",),
    "ray": ("sweep/on_ray.py",),
}
MOVING = {"datetime", "getpass", "platform", "random", "secrets", "socket", "time", "uuid"}
MOVING_ALLOWED = {
    ("solvers.packing", "time"),  # a solver's time limit is part of the question
    ("sweep", "time"),  # as is that of a row
    ("prove.fit", "random"),  # with a seed: layers that figures are fitted to
}

LINES = 400
LINES_OF_OPERATOR_FAMILY = 300
LINES_OF_FUNCTION = 40


def _python(*folders: str) -> list[Path]:
    found = chain.from_iterable((ROOT / folder).rglob("*.py") for folder in folders)
    return sorted(found)


def _shown(path: Path, line: int | None = None) -> str:
    name = path.relative_to(ROOT).as_posix()
    return name if line is None else f"{name}:{line}"


@cache
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of a module, itself first; most tests here look at every one."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))))


def _room(words: Sequence[str]) -> str:
    """The longest name in ORDER that a dotted name starts with, else its first word."""
    names = (".".join(words[:length]) for length in range(len(words), 0, -1))
    return next((name for name in names if name in ORDER), words[0])


def _part(path: Path) -> str:
    """The name in ORDER that a module of mcuplan/ belongs to; empty for the package itself."""
    words = path.relative_to(ROOT / "mcuplan").with_suffix("").parts
    return "" if words == ("__init__",) else _room([w for w in words if w != "__init__"])


def _imports(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported; ``from a import b`` gives ``a.b``."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def _inside(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Line, dotted name and its words after ``mcuplan`` of imports from mcuplan itself."""
    for line, name in _imports(_nodes(path)):
        words = name.split(".")
        if words[0] == "mcuplan" and not words[1].startswith("__version"):
            yield line, name, words[1:]


# --- imports -----------------------------------------------------------------------------------


def test_every_part_has_a_place() -> None:
    """Each module or package of mcuplan stands in the order, and the order names no other."""
    found = {_part(path) for path in _python("mcuplan")} - {""}
    assert set() == found.symmetric_difference(ORDER)


def test_what_the_page_names_is_there() -> None:
    """Every file, folder, class and commit that the page on architecture names exists."""
    text = PAGE.read_text(encoding="utf-8")
    paths = set(re.findall(r"`(\w[\w./]*/[\w./]*)`", text))
    places = (ROOT, ROOT / "mcuplan")
    missing = [path for path in paths if not any((place / path).exists() for place in places)]
    classes = {
        node.name
        for path in _python("mcuplan")
        for node in _nodes(path)
        if isinstance(node, ast.ClassDef)
    }
    missing += [name for name in re.findall(r"`([A-Z]\w*[a-z]\w*)`", text) if name not in classes]
    assert [] == sorted(missing)


def test_the_page_names_commits_that_are_there() -> None:
    """The recipes point at commits by their subjects."""
    named = set(re.findall(r'commit "([^"]+)"', PAGE.read_text(encoding="utf-8")))
    asked = ["git", "-C", str(ROOT), "log", "--format=%s"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode or done.stdout.count("\n") < 2:
        pytest.skip("this copy has no history")
    assert set() == named - set(done.stdout.splitlines())


def test_imports_point_left() -> None:
    """A module imports only from its own part and from parts to its left."""
    wrong = []
    for path in _python("mcuplan"):
        place = ORDER.index(_part(path) or "api")  # the package itself is the door to api
        for line, name, words in _inside(path):
            if _room(words) not in ORDER or ORDER.index(_room(words)) > place:
                wrong.append(f"{_shown(path, line)} imports {name}")
    assert [] == wrong


def test_imports_are_absolute() -> None:
    """Imports inside mcuplan name the module in full."""
    wrong = [
        f"{_shown(path, line)} imports {name}"
        for path in _python("mcuplan")
        for line, name in _imports(_nodes(path))
        if name.startswith(".")
    ]
    assert [] == wrong


def test_parts_do_not_know_what_they_need_not() -> None:
    """The planner knows no tensors; emitter, prover and reports know no operator."""
    wrong = []
    for path in _python("mcuplan"):
        part = _part(path)
        for line, name, words in _inside(path):
            stranger = part in STRANGERS and _room(words) not in {part, *STRANGERS[part]}
            if stranger or (part in KNOW_NO_OPERATOR and words[0] == "ops"):
                wrong.append(f"{_shown(path, line)} imports {name}")
    assert [] == wrong


def test_checkers_share_no_code_with_the_solvers() -> None:
    """The checker of a solver imports no module of it but the one that states the problem."""
    checkers = sorted((ROOT / "mcuplan" / "solvers").glob("*/check.py"))
    shared = {words[2] for path in checkers for _, _, words in _inside(path) if len(words) > 2}
    assert checkers
    assert {"problem"} >= shared


def test_helpers_are_private_to_their_package() -> None:
    """A module whose name starts with ``_`` is imported only inside its own package."""
    wrong = []
    for path in _python("mcuplan"):
        package = path.parent.relative_to(ROOT / "mcuplan").parts
        for line, name, words in _inside(path):
            private = [i for i, word in enumerate(words[:-1]) if re.match(r"_[a-z]", word)]
            if private and tuple(words[: private[0]]) != package[: private[0]]:
                wrong.append(f"{_shown(path, line)} imports {name}")
    assert [] == wrong


def _imported_modules(path: Path) -> set[Path]:
    """Files of the modules that a module imports while it is itself being imported."""
    module = _nodes(path)[0]
    assert isinstance(module, ast.Module)
    found = set()
    for _, name in _imports(module.body):
        words = name.split(".")
        for length in (len(words), len(words) - 1):
            stem = ROOT.joinpath(*words[:length])
            file = next(
                (p for p in (stem.with_suffix(".py"), stem / "__init__.py") if p.is_file()), None
            )
            if file is not None and words[0] == "mcuplan":
                found.add(file)
                break
    return found - {path, ROOT / "mcuplan" / "__init__.py"}


def test_no_import_cycles() -> None:
    """No module imports, directly or through others, a module that imports it."""
    graph = {path: _imported_modules(path) for path in _python("mcuplan")}
    cycle: list[str] = []
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle = [_shown(path) for path in error.args[1]]
    assert [] == cycle


def test_heavy_packages_are_imported_where_used() -> None:
    """Each heavy package has the modules that may import it."""
    wrong = []
    for path in _python("mcuplan"):
        name = path.relative_to(ROOT / "mcuplan").as_posix()
        for line, imported in _imports(_nodes(path)):
            allowed = MAY_IMPORT.get(imported.split(".")[0])
            if allowed is not None and not name.startswith(allowed):
                wrong.append(f"{_shown(path, line)} imports {imported}")
    assert [] == wrong


def test_help_loads_no_heavy_package() -> None:
    """``mcuplan --help`` answers without loading any of them."""
    script = (
        "import sys\n"
        "from mcuplan.cli import main\n"
        "sys.argv = ['mcuplan', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('loaded', sorted({set(MAY_IMPORT)!r} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert "loaded []" == done.stdout.splitlines()[-1]


# --- what only the command line may do ---------------------------------------------------------


def _dotted(node: ast.AST) -> str:
    """``a.b.c`` for an attribute chain on a name, else empty."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := _dotted(node.value)):
        return f"{base}.{node.attr}"
    return ""


def _uses(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every name and attribute that a module mentions, but fields."""
    fields = {id(node.target) for node in _nodes(path) if isinstance(node, ast.AnnAssign)}
    for node in _nodes(path):
        if id(node) in fields or not isinstance(node, ast.Name | ast.Attribute):
            continue
        if name := _dotted(node):
            yield node.lineno, name


def test_only_the_command_line_talks_and_exits() -> None:
    """Nothing below cli prints, writes to the terminal, or ends the process."""
    talking = re.compile(r"(print|input|exit|quit|breakpoint|SystemExit|(sys|os)\.(_?exit|std\w+))")
    wrong = [
        f"{_shown(path, line)} uses {name}"
        for path in _python("mcuplan")
        if _part(path) not in {"cli", "__main__"}
        for line, name in _uses(path)
        if talking.fullmatch(name)
    ]
    assert [] == wrong


def test_nothing_below_the_command_line_moves() -> None:
    """No environment look-up, clock or host below cli; random numbers come with a seed."""
    wrong = []
    for path in _python("mcuplan"):
        part = _part(path)
        if part in {"cli", "__main__"}:
            continue
        for line, name in _imports(_nodes(path)):
            module = name.split(".")[0]
            if module in MOVING and (part, module) not in MOVING_ALLOWED:
                wrong.append(f"{_shown(path, line)} imports {module}")
        for line, name in _uses(path):
            if re.fullmatch(r"os\.(environb?|getenv|getlogin|uname)", name):
                wrong.append(f"{_shown(path, line)} uses {name}")
            if re.fullmatch(r"(np|numpy)\.random\.(?!Generator|PCG64)\w+", name):
                wrong.append(f"{_shown(path, line)} uses {name}")
        for node in _nodes(path):
            seedless = isinstance(node, ast.Call) and not (node.args or node.keywords)
            if seedless and _dotted(node.func).endswith("PCG64"):
                wrong.append(f"{_shown(path, node.lineno)} has no seed")
    assert [] == wrong


def test_no_function_writes_module_state() -> None:
    """No function declares a ``global``: a module's names stay what its import made them."""
    wrong = [
        _shown(path, node.lineno)
        for path in _python("mcuplan")
        for node in _nodes(path)
        if isinstance(node, ast.Global)
    ]
    assert [] == wrong


def test_stages_do_not_ask_for_an_operators_class() -> None:
    """``isinstance(node.op, ...)`` stands in operators and passes; stages ask the operator."""
    wrong = [
        _shown(path, node.lineno)
        for path in _python("mcuplan")
        if _part(path) not in {"ops", "backends", "passes"}
        for node in _nodes(path)
        if isinstance(node, ast.Call)
        and _dotted(node.func) == "isinstance"
        and isinstance(node.args[0], ast.Attribute)
        and node.args[0].attr == "op"
    ]
    assert [] == wrong


def test_every_error_stands_in_one_list() -> None:
    """Errors of a user are classes of errors/, so that ``mcuplan explain`` knows each code."""
    wrong = [
        f"{_shown(path, node.lineno)} {node.name}"
        for path in _python("mcuplan")
        if _part(path) != "errors"
        for node in _nodes(path)
        if isinstance(node, ast.ClassDef)
        if any(
            isinstance(line, ast.Assign) and _dotted(line.targets[0]) == "code"
            for line in node.body
        )
    ]
    assert [] == wrong


# --- sizes -------------------------------------------------------------------------------------


def _line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_modules_are_short() -> None:
    """A module has at most 400 lines, an operator family at most 300."""
    families = ROOT / "mcuplan" / "ops"
    wrong = [
        f"{_shown(path)}: {_line_count(path)} lines"
        for path in _python("mcuplan", "tests", "models")
        if _line_count(path) > (LINES_OF_OPERATOR_FAMILY if path.parent == families else LINES)
    ]
    assert [] == wrong


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its decorators and docstring."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def test_functions_are_short() -> None:
    """A function of the product has at most 40 lines, its docstring not counted."""
    wrong = [
        f"{_shown(path, node.lineno)} {node.name}: {_length(node)} lines"
        for path in _python("mcuplan", "models")
        for node in _nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and _length(node) > LINES_OF_FUNCTION
    ]
    assert [] == wrong
