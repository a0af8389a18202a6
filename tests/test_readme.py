# SPDX-License-Identifier: Apache-2.0
"""What README.md and the pages of docs/ show is what the program prints."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from mcuplan.cli import run
from mcuplan.targets import list_targets

_ROOT = Path(__file__).resolve().parents[1]
_README = _ROOT / "README.md"
_SHOWN = re.compile(r"```\n\$ (mcuplan (?:[^\n]*\\\n)*[^\n]*)\n(.*?)```", re.S)


def _blocks() -> list[tuple[str, int]]:
    """Every command that a page shows with its output, as page and place on it."""
    pages = [_README, *sorted((_ROOT / "docs").rglob("*.md"))]
    return [
        (str(page.relative_to(_ROOT)), index)
        for page in pages
        for index, (_, shown) in enumerate(_SHOWN.findall(page.read_text(encoding="utf-8")))
        if shown
    ]


@pytest.mark.parametrize(("name", "index"), _blocks())
def test_shown_output_is_real(
    name: str,
    index: int,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command prints what stands below it; measured figures may differ between compilers."""
    page = _ROOT / name
    command, shown = _SHOWN.findall(page.read_text(encoding="utf-8"))[index]
    words = shlex.split(command.replace("\\\n", " "))
    if words[1] == "verify":
        for fixture in ("arm_gcc", "qemu"):
            request.getfixturevalue(fixture)
    kept = shutil.ignore_patterns("*.verify.json")
    shutil.copytree(_ROOT / "models", tmp_path / "models", ignore=kept)
    monkeypatch.chdir(tmp_path)
    run(words[1:])
    printed = capsys.readouterr().out
    if request.config.getoption("--update-golden"):
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(shown, printed), encoding="utf-8")
        shown = printed
    if words[1] == "verify":
        shown, printed = _without_figures(shown), _without_figures(printed)
    assert shown == printed


def _without_figures(text: str) -> str:
    """The words of a report: figures, and what only depends on their width, left out."""
    return " ".join(
        re.sub(r"[0-9][0-9,.]*|built with.*?hard\n|\[.*?\]", "", text, flags=re.S).split()
    )


def test_links_lead_somewhere() -> None:
    """Every relative link of a page is a file of the repository."""
    pages = [_README, *sorted((_ROOT / "docs").rglob("*.md"))]
    for page in pages:
        links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
        assert [] == [link for link in links if not (page.parent / link).exists()], page


def test_the_number_of_targets_is_right() -> None:
    """README counts the built-in targets."""
    assert f"{len(list_targets())} built in" in _README.read_text(encoding="utf-8")
