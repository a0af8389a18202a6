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
_SHOWN = re.compile(r"^\$ (mcuplan (?:[^\n]*\\\n)*[^\n]*)\n(.*?)(?=^```|^\$ )", re.S | re.M)


def _pages() -> list[Path]:
    """README and the pages of docs/."""
    return [_README, *sorted((_ROOT / "docs").rglob("*.md"))]


def _with_commands() -> list[str]:
    """Pages that show commands."""
    return [
        str(page.relative_to(_ROOT))
        for page in _pages()
        if _SHOWN.search(page.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("name", _with_commands())
def test_shown_output_is_real(
    name: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All commands of a page run in turn in one folder, and print what stands below them.

    Measured figures may differ between compilers. A command below which nothing stands only runs.
    A picture that it writes is the one of docs/pictures.
    """
    page = _ROOT / name
    text = page.read_text(encoding="utf-8")
    kept = shutil.ignore_patterns("*.verify.json")
    shutil.copytree(_ROOT / "models", tmp_path / "models", ignore=kept)
    monkeypatch.chdir(tmp_path)
    for command, shown in _SHOWN.findall(text):
        words = shlex.split(command.replace("\\\n", " "))
        if words[1] == "verify":
            for fixture in ("arm_gcc", "qemu"):
                request.getfixturevalue(fixture)
        status = run(words[1:])
        assert status in (0, 1), command
        printed = capsys.readouterr().out
        if shown and request.config.getoption("--update-golden"):
            text = text.replace(f"{command}\n{shown}", f"{command}\n{printed}", 1)
            page.write_text(text, encoding="utf-8")
            shown = printed
        if words[1] == "verify":
            shown, printed = _without_figures(shown), _without_figures(printed)
        assert not shown or shown == printed, command
    update = request.config.getoption("--update-golden")
    for picture in sorted((page.parent / "pictures").glob("*.svg")):
        if (tmp_path / picture.name).exists():
            if update:
                shutil.copy(tmp_path / picture.name, picture)
            assert (tmp_path / picture.name).read_bytes() == picture.read_bytes()


def _without_figures(text: str) -> str:
    """The words of a report: figures, and what only depends on their width, left out."""
    return " ".join(
        re.sub(r"[0-9][0-9,.]*|built with.*?hard\n|\[.*?\]", "", text, flags=re.S).split()
    )


def test_links_lead_somewhere() -> None:
    """Every relative link of a page is a file of the repository."""
    for page in _pages():
        links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
        assert [] == [link for link in links if not (page.parent / link).exists()], page


def test_the_number_of_targets_is_right() -> None:
    """README counts the built-in targets."""
    assert f"{len(list_targets())} built in" in _README.read_text(encoding="utf-8")
