# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser: silent, alone, usable by keys, without scripts and in the dark."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Page, browser
from report_samples import HOSTILE, hostile_budget, sample_budget
from test_page import by_rows_budget, full_budget

from mcuplan.cli import run
from mcuplan.record import Budget
from mcuplan.report import render

_ROWS = "Array.from(document.querySelectorAll('table.sorts tbody tr')).filter(r => !r.hidden)"
_FIRST = f"{_ROWS}.map(r => r.cells[0].textContent).join(' ')"
_LINES = (
    "c => { const range = document.createRange(); range.selectNodeContents(c);"
    " return new Set(Array.from(range.getClientRects(), b => b.top)).size; }"
)
_FOCUS = (
    "(e => e.id || e.getAttribute('aria-label') || e.textContent.trim())(document.activeElement)"
)


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser, where there is one."""
    found = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if found is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    return found


@pytest.fixture(scope="module")
def page(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A tab of a new browser."""
    with browser(chromium, tmp_path_factory.mktemp("browser")) as found:
        yield found


def _written(folder: Path, budget: Budget) -> Path:
    path = folder / "page.html"
    path.write_text(render("html", budget), encoding="utf-8")
    return path


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1200, 400])
def test_a_page_is_silent_and_alone(page: Page, tmp_path: Path, width: int, dark: bool) -> None:
    """No word on the console, no request but for the file, nothing wider than the window."""
    page.logged.clear()
    page.requests.clear()
    path = _written(tmp_path, full_budget())
    page.open(path, dark=dark, width=width)
    assert [] == page.logged
    assert [path.as_uri()] == page.requests
    assert width == page.value("document.documentElement.scrollWidth")
    back = page.value("getComputedStyle(document.body).backgroundColor")
    assert ("rgb(21, 24, 29)" if dark else "rgb(255, 255, 255)") == back
    assert 1_000 < len(page.picture())


def test_numbers_stay_beside_long_names(page: Page, tmp_path: Path) -> None:
    """At 1,200 px the table of layers needs no scrolling, and no operator is broken into lines."""
    page.open(_written(tmp_path, by_rows_budget()))
    frame = "document.querySelector('table.sorts').parentNode"
    assert page.value(f"{frame}.scrollWidth") <= page.value(f"{frame}.clientWidth")
    for column in (0, 2, 5, 9):
        assert 1 == page.value(f"Math.max(...{_ROWS}.map(r => ({_LINES})(r.cells[{column}])))")
    widest = page.value(f"Math.max(...{_ROWS}.map(r => r.cells[1].offsetWidth))")
    assert 300 > widest


def test_every_control_is_reached_by_keys(page: Page, tmp_path: Path) -> None:
    """Tab goes to links, the choice of map, the filter, every column and every frame."""
    page.open(_written(tmp_path, full_budget()))
    seen = []
    for _ in range(60):
        page.press_tab()
        seen.append(page.value(_FOCUS))
    assert {"to the figures", "Layers", "map-plan", "layers", "cycles", "command"} <= set(seen)
    assert {"memory map of the plan", "live bytes over time", "roofline"} <= set(seen)
    assert {"as a table"} <= set(seen)


def test_keys_sort_filter_and_switch(page: Page, tmp_path: Path) -> None:
    """A column sorts up and down, the filter leaves rows, an arrow shows the other map."""
    page.open(_written(tmp_path, sample_budget()))
    assert "0 1 2" == page.value(_FIRST)
    page.value("document.querySelectorAll('table.sorts thead button')[5].focus()")
    page.press("Enter", 13)
    assert "2 0 1" == page.value(_FIRST)
    assert "ascending" == page.value("document.activeElement.parentNode.ariaSort")
    page.press("Enter", 13)
    assert "1 0 2" == page.value(_FIRST)
    page.value("document.querySelector('input[type=search]').focus()")
    for key in "dwconv":
        page.press(key, ord(key.upper()))
    assert "2" == page.value(_FIRST)
    assert " 1 of 3" == page.value("document.querySelector('output').textContent")
    page.open(_written(tmp_path, full_budget()))
    shown = "document.querySelector('.map-naive').offsetHeight > 0"
    assert not page.value(shown)
    page.value("document.getElementById('map-plan').focus()")
    page.press("ArrowRight", 39)
    assert page.value(shown)
    assert [] == page.logged


def test_a_page_is_whole_without_scripts(page: Page, tmp_path: Path) -> None:
    """All rows, both maps and all findings are there; only what sorts and filters is not."""
    path = _written(tmp_path, full_budget())
    page.open(path, scripts=False)
    text = page.call("DOM.getDocument", depth=-1)
    html = page.call("DOM.getOuterHTML", nodeId=text["root"]["nodeId"])["outerHTML"]
    assert 1 + 3 == html.split('class="sorts"')[1].split("</table>")[0].count("<tr")
    assert "<button" not in html
    assert "<output" not in html
    assert html.count("<svg") == path.read_text(encoding="utf-8").count("<svg")


def test_fronts_are_reached_by_keys_and_name_their_models(page: Page, tmp_path: Path) -> None:
    """A point of the front is a link to its row; a model's name is text wherever it stands."""
    table, path = tmp_path / "rows.jsonl", tmp_path / "front.html"
    figures = [(9, 1), (8, 2), (7, 3), (9, 9)]
    rows = [{"model": HOSTILE, "ram_bytes": ram, "macs": macs} for ram, macs in figures]
    table.write_text("\n".join(map(json.dumps, rows)), encoding="ascii")
    asked = ["pareto", str(table), "--x", "ram", "--y", "macs", "--color", "macs", "-q"]
    assert 0 == run([*asked, "-o", str(path)])
    page.logged.clear()
    page.requests.clear()
    for dark in (True, False):
        page.open(path, dark=dark, width=400)
        assert 400 == page.value("document.documentElement.scrollWidth")
    assert [] == page.logged
    assert {path.as_uri()} == set(page.requests)
    assert 1 == page.value("document.scripts.length")
    title = page.value("document.querySelector('svg a title').textContent")
    assert title.startswith(
        page.value("document.querySelector('bdi[title],th bdi').textContent")[:9]
    )
    seen = []
    for _ in range(20):
        page.press_tab()
        seen.append(page.value("document.activeElement.getAttribute('href')"))
    assert ["#front0-0", "#front0-1", "#front0-2"] == [h for h in seen if h and "0-" in h]
    page.value("document.querySelector('svg a').focus()")
    page.press("Enter", 13)
    assert "#front0-0" == page.value("location.hash")
    assert page.value("document.querySelector('tr:target') !== null")


def test_hostile_names_do_nothing(page: Page, tmp_path: Path) -> None:
    """Names that try to run, load or turn the text around leave the page as it is."""
    for name in (HOSTILE, "x" * 10_000):
        page.logged.clear()
        page.requests.clear()
        path = _written(tmp_path, hostile_budget(name))
        page.open(path, width=400)
        assert [] == page.logged
        assert [path.as_uri()] == page.requests
        assert 1 == page.value("document.scripts.length")
        assert 0 == page.value("document.images.length")
        assert 400 == page.value("document.documentElement.scrollWidth")
        assert 3 == page.value(f"{_ROWS}.length")


@pytest.mark.slow
def test_a_model_by_rows_is_a_small_page(page: Page, tmp_path: Path, test_models: Path) -> None:
    """MCUNet by rows: hundreds of rows, less than 400 KB, silent and alone."""
    path = tmp_path / "page.html"
    model = shutil.copy(test_models / "mcunet_vww" / "model.onnx", tmp_path)
    words = ["check", str(model), "-t", "cortex-m4", "--objective", "ram", "-q"]
    assert 0 == run([*words, "--report", f"html={path}"])
    text = path.read_text(encoding="utf-8")
    assert 400_000 > len(text)
    assert "Rows of one tensor" in text
    page.logged.clear()
    page.requests.clear()
    page.open(path)
    assert [] == page.logged
    assert [path.as_uri()] == page.requests
    assert 1200 == page.value("document.documentElement.scrollWidth")
