# SPDX-License-Identifier: Apache-2.0
"""Habits of a command line: completion, examples, and what `init` finds."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from small_nets import small_net

import mcuplan
from mcuplan.cli import run
from mcuplan.cli._app import app
from mcuplan.cli._console import bar
from mcuplan.cli._examples import EXAMPLES
from mcuplan.config import read_config
from mcuplan.progress import no_bar

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_what_the_shell_reads(shell: str, capsys: Captured) -> None:
    """A function for the shell that asks the program."""
    assert 0 == run(["completion", shell])
    out = capsys.readouterr().out
    assert f"_MCUPLAN_COMPLETE={shell}_complete" in out


def test_what_may_follow_is_completed() -> None:
    """Commands, options, and names of targets."""
    root = str(Path(mcuplan.__file__).resolve().parents[1])
    for words, wanted in (
        ("mcuplan che", "plain,check"),
        ("mcuplan check --max-fl", "plain,--max-flash"),
        ("mcuplan check --target stm32g07", "plain,stm32g071"),
    ):
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        done = subprocess.run(
            [sys.executable, "-m", "mcuplan"],
            env={**os.environ, **asked, "_MCUPLAN_COMPLETE": "bash_complete", "PYTHONPATH": root},
            capture_output=True,
            text=True,
        )
        assert (0, f"{wanted}\n") == (done.returncode, done.stdout)


def _commands(group: click.Group, path: str = "") -> dict[str, click.Command]:
    found = {}
    for name, command in group.commands.items():
        whole = f"{path} {name}".strip()
        found |= _commands(command, whole) if isinstance(command, click.Group) else {whole: command}
    return found


@pytest.mark.parametrize("name", sorted(_commands(app)))
def test_help_ends_with_an_example(name: str) -> None:
    """The example is one of the command, with options that it has."""
    command = _commands(app)[name]
    context = click.Context(command, info_name=f"mcuplan {name}")
    example = f"mcuplan {EXAMPLES[name]}"
    assert command.get_help(context).rstrip().endswith(example)
    words = shlex.split(example)[1 + len(name.split()) :]
    words = words[: words.index(">>")] if ">>" in words else words
    command.make_context(name, words)


def _written(folder: Path) -> dict[str, str]:
    files = (p for p in folder.rglob("*") if p.suffix in (".toml", ".yml"))
    return {p.relative_to(folder).as_posix(): p.read_text(encoding="utf-8") for p in files}


def test_init_says_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """Models, their samples, the board and the hosts; what is written is read, and used."""
    monkeypatch.chdir(tmp_path)
    for folder in ("models", "build", ".github", ".hidden"):
        (tmp_path / folder).mkdir()
    for name in ("models/net.onnx", "build/old.onnx", ".hidden/x.onnx", 'models/a "b".onnx'):
        small_net().save(tmp_path / name)
    (tmp_path / "models" / "net.npz").touch()
    (tmp_path / "platformio.ini").write_text("[env:x]\nplatform = ststm32\nboard = nucleo_f411re\n")
    assert 0 == run(["init"])
    assert {"mcuplan.toml", ".github/workflows/mcuplan.yml"} == set(_written(tmp_path))
    config = read_config(tmp_path / "mcuplan.toml", tmp_path / "models" / "net.onnx")
    assert ("nucleo-f411re", str(tmp_path / "models" / "net.npz")) == (
        config["target"],
        config["calibration"],
    )
    (tmp_path / "models" / "net.npz").unlink()
    (tmp_path / "mcuplan.toml").write_text(
        (tmp_path / "mcuplan.toml").read_text().replace("calibration =", "# calibration =")
    )
    assert 0 == run(["check", 'models/a "b".onnx', "-q"])
    before = _written(tmp_path)
    assert "old" not in "".join(before.values())
    assert 0 == run(["init", "--target", "cortex-m0", "--ci", "github", "--ci", "gitlab"])
    after = _written(tmp_path)
    assert before == {name: after[name] for name in before}
    assert {".gitlab/mcuplan-ci.yml"} == set(after) - set(before)
    assert "stays as it is" in capsys.readouterr().err


def test_init_pastes_no_name_into_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts fill in expressions before a shell sees its quotes; a shell gets the name as it is."""
    monkeypatch.chdir(tmp_path)
    names = ["--help.onnx", "$(touch f) ${{ github.token }} $[[ x ]] 'a.onnx"]
    for name in names:
        small_net().save(tmp_path / name)
    assert 0 == run(["init", "--ci", "github", "--ci", "gitlab"])
    for name, text in _written(tmp_path).items():
        if name.endswith(".yml"):
            assert not re.search(r"\$\{\{ github.token|\$\[\[", text)
            (words,) = re.findall(r"for model in (.*); do", text)
            assert {f"./{names[0]}", names[1]} == set(shlex.split(words))


def test_init_writes_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """A folder that is a link to elsewhere is not written to, and nothing else is."""
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    (here / ".github").symlink_to(there)
    monkeypatch.chdir(here)
    assert 2 == run(["init"])
    assert "leads out" in capsys.readouterr().err
    assert [] == list(there.iterdir())
    assert [".github"] == [path.name for path in here.iterdir()]


def test_init_of_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """There is a file to begin with, and what is missing is said."""
    monkeypatch.chdir(tmp_path)
    assert 2 == run(["init", "--target", "no-such-board"])
    assert {} == _written(tmp_path)
    assert 0 == run(["init"])
    assert {} == dict(read_config(tmp_path / "mcuplan.toml"))
    assert "mcuplan targets list" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("terminal", "ci", "shown"), [(1, "", True), (1, "true", False), (0, "", False)]
)
def test_bars_are_for_who_watches(
    terminal: int, ci: str, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal, and neither in a pipe nor in a CI that has one."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: bool(terminal), raising=False)
    monkeypatch.setenv("CI", ci)
    assert shown == (bar(quiet=False) is not no_bar)
    assert no_bar is bar(quiet=True)
