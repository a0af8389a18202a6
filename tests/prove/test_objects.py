# SPDX-License-Identifier: Apache-2.0
"""What was compiled before is not compiled again, and what changed is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest

from mcuplan.errors import ToolFailed
from mcuplan.prove import toolchain
from mcuplan.prove.objects import Objects, recipe
from mcuplan.prove.toolchain import Compiler, compile_sources

_SOURCE = PurePosixPath("own/one.c")
_FLAGS = ("-O1", "-Iown/more", "-include", "first.h")
_FILES = {
    "own/one.c": '#include "near.h"\n#include <far.h>\n#if __has_include("may.h")\n#endif\n',
    "own/near.h": '#include "deep.h"\n#ifdef OTHER_H\n#include OTHER_H\n#endif\n',
    "own/more/far.h": "/* far */\n",
    "own/more/deep.h": "/* deep */\n",
    "own/unrelated.h": "/* of another model */\n",
    "first.h": "/* first */\n",
}


def _written(folder: Path, **more: str) -> Path:
    for name, text in {**_FILES, **more}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def _recipe(work: Path, flags: Sequence[str] = _FLAGS, compiler: str = "cc 1.0") -> str | None:
    return recipe(("/bin/cc", compiler), flags, _SOURCE, work)


def test_the_folder_does_not_count(tmp_path: Path) -> None:
    """The same text by the same flags is one object, whatever the folder and what else is there."""
    one, two = _written(tmp_path / "1"), _written(tmp_path / "2", **{"own/unrelated.h": "/* */"})
    mapped = [(*_FLAGS, f"-fdebug-prefix-map={work.resolve()}=.") for work in (one, two)]
    assert _recipe(one) == _recipe(two) is not None
    assert _recipe(one, mapped[0]) == _recipe(two, mapped[1]) != _recipe(one)


@pytest.mark.parametrize("name", [name for name in _FILES if name != "own/unrelated.h"])
def test_every_text_counts(name: str, tmp_path: Path) -> None:
    """A change of the source, or of any file that it includes, is another object."""
    before = _recipe(_written(tmp_path / "1"))
    assert before != _recipe(_written(tmp_path / "2", **{name: _FILES[name] + "int x;\n"}))


@pytest.mark.parametrize("name", ["own/may.h", "own/more/near.h", "own/deep.h", "own/far.h"])
def test_files_that_are_found_elsewhere_count(name: str, tmp_path: Path) -> None:
    """A file that is asked for and was not there counts; one in a folder that comes later not."""
    before = _recipe(_written(tmp_path / "1"))
    seen = name in ("own/may.h", "own/deep.h")
    assert seen == (before != _recipe(_written(tmp_path / "2", **{name: "/* new */\n"})))


def test_compiler_and_flags_count(tmp_path: Path) -> None:
    """Another version, another flag, another order of folders."""
    work = _written(tmp_path)
    others = [_recipe(work, compiler="cc 1.1"), _recipe(work, (*_FLAGS, "-O2"))]
    others.append(_recipe(work, (*_FLAGS, "-isystem", "own")))
    assert 4 == len({_recipe(work), *others})


def test_what_is_not_seen_is_compiled(tmp_path: Path) -> None:
    """An include that a macro names, and compilers that leave more than an object."""
    work = _written(tmp_path / "1")
    assert _recipe(work, (*_FLAGS, '-DOTHER_H="x.h"')) is None
    assert _recipe(work, (*_FLAGS, "--coverage")) is None
    near = '#define OTHER_H "x.h"\n' + _FILES["own/near.h"]
    assert _recipe(_written(tmp_path / "2", **{"own/near.h": near})) is None


def test_there_is_a_limit() -> None:
    """Those that nobody asked for longest go first."""
    held = Objects(most_bytes=10)
    held.keep("a", b"1234")
    held.keep("b", b"1234")
    held.keep("a", b"123456")
    assert b"123456" == held.find("a")
    held.keep("c", b"1234")
    assert (b"123456", None, b"1234") == tuple(map(held.find, "abc"))
    held.keep("d", b"x" * 11)
    assert [None] * 4 == list(map(held.find, "abcd"))


def test_an_object_is_compiled_once(
    host: Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice the same, once compiled; an error is none to keep."""
    monkeypatch.setattr(toolchain, "OBJECTS", Objects())
    calls, run = [], toolchain.run_tool

    def counted(command: Sequence[str], work: Path) -> object:
        calls.append(command)
        return run(command, work)

    monkeypatch.setattr(toolchain, "run_tool", counted)
    path = PurePosixPath("a.c")
    made = []
    for name in ("1", "2"):
        work = _written(tmp_path / name, **{"a.c": "int a(void);\nint a(void) { return 1; }\n"})
        (made_now,) = compile_sources(host, [path], work, ["-O1"])
        made.append((work / made_now).read_bytes())
    assert made[0] == made[1]
    assert 1 == len(calls)
    wrong = _written(tmp_path / "3", **{"a.c": "int a(void) {\n"})
    for _ in range(2):
        with pytest.raises(ToolFailed):
            compile_sources(host, [path], wrong, ["-O1"])
    assert 3 == len(calls)
