# SPDX-License-Identifier: Apache-2.0
"""The report as a page: its parts, what it may load, and names that try to break it."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import (
    HOSTILE,
    Tags,
    hostile_budget,
    sample_board,
    sample_budget,
    sample_fits,
    sample_layer,
    sample_undecided,
)

from mcuplan.record import (
    Advice,
    Budget,
    BufferRow,
    BuildInfo,
    ElementType,
    LinkedSymbol,
    Naive,
    Needs,
    Roof,
    Way,
)
from mcuplan.report import render
from mcuplan.report._blocks import blocks_of, live_bytes, slabs_of
from mcuplan.report._chart import CHARACTER, WIDTH
from mcuplan.report.html.flash import squarified
from mcuplan.safe_text import plain
from mcuplan.units import Origin

_LONG = [f"functional_1/activation_{i}/Relu;{'functional_1/block/BiasAdd;' * 6}x" for i in range(9)]
_SPACE = {"s": "http://www.w3.org/2000/svg"}


def full_budget() -> Budget:
    """Every part of the page has something to show."""
    budget, kind = sample_board(), ElementType("int8", 0.5, -3)
    roof = Roof(1.0, 4.0, 2.0, Origin.MODELLED)
    rows = tuple(
        replace(
            r,
            input_shapes=((1, 4, 4, 8),),
            output_type=kind,
            weights_dtype="int4",
            max_lsb=1,
            copied_bytes=500,
        )
        for r in budget.layers
    )
    symbols = (
        LinkedSymbol("mplan_conv2d_s8", 700, "text", "mplan/mplan_conv2d_s8.o", 0x1580),
        LinkedSymbol("weights_0", 900, "rodata", "kws.o", 0x9000),
        LinkedSymbol("libgcc.a(_muldi3.o)", 120, "text", "libgcc.a(_muldi3.o)"),
    )
    return replace(
        budget,
        layers=rows,
        target=replace(budget.target, roof=roof),
        build=BuildInfo("arm-none-eabi-gcc 12.2", "-Os", symbols),
        naive=Naive(122_880, budget.buffers),
        asked=("check", "my model.onnx", "--target", "cortex-m4"),
    )


def by_rows_budget(tensors: int = 40, rows: int = 50) -> Budget:
    """Tensors that flow into each other row by row, with long names."""
    buffers = [
        BufferRow(
            f"{_LONG[t % 9]}{t}", "sram", 2_000 * (t % 12) + 40 * r, 40, t * rows + r,
            t * rows + r + rows, None, "io" if t == 0 else "activation", r,
        )
        for t in range(tensors)
        for r in range(rows)
    ]  # fmt: skip
    budget = sample_budget()
    layers = tuple(sample_layer(i, f"{_LONG[i % 9]}{i}", 4_000, 10) for i in range(tensors))
    peak = replace(budget.peak, step=3, layer=layers[3].name, row=1, move=99)
    return replace(budget, layers=layers, buffers=tuple(buffers), peak=peak)


def _read(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    assert [] == tags.open
    return tags


def _policy(tags: Tags) -> Mapping[str, str]:
    text = next(value for name, value in tags.attributes if value.startswith("default-src"))
    return dict(part.strip().split(" ", 1) for part in text.split(";"))


@pytest.mark.parametrize("make", [full_budget, sample_fits, sample_undecided, hostile_budget])
def test_a_page_runs_and_loads_nothing_but_its_own(make: Callable[[], Budget]) -> None:
    """One style and one script, both named by digest; no address, no handler, no style inside."""
    page = render("html", make())
    assert page.isascii()
    tags = _read(page)
    policy = _policy(tags)
    assert "'none'" == policy["default-src"] == policy["base-uri"] == policy["form-action"]
    for kind in ("style", "script"):
        (text,) = re.findall(rf"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode("ascii")).digest()).decode("ascii")
        assert policy[f"{kind}-src"] == f"'sha256-{digest}'"
        assert 1 == tags.seen.count(kind)
    names = {name for name, _ in tags.attributes}
    assert not {"style", "src", "srcset", "action"} & names
    assert not {name for name in names if name.startswith("on")}
    links = [value for name, value in tags.attributes if name == "href"]
    assert all(re.fullmatch(r"#[a-z]+", link) for link in links)
    assert not {"link", "iframe", "object", "img", "base"} & set(tags.seen)
    assert {"http://www.w3.org/2000/svg"} >= set(re.findall(r"https?://[^\"<\s]*", page))


def test_a_page_has_nine_parts() -> None:
    """All parts that design asks for stand in the page where there is something to show."""
    page = render("html", full_budget())
    found = re.findall(r'<section id="(\w+)">', page)
    assert ["budget", "growth", "memory", "layers", "roofline", "flash"] == found[:6]
    assert ["choices", "verification", "findings"] == found[6:]
    assert 'id="map-naive"' in page
    assert "live bytes" in page
    assert "0x00001580" in page
    assert "libgcc.a(_muldi3.o)" in page
    assert "not checked" in page
    assert "500 B of it a copy of weights" in page
    tags = _read(page)
    links = [value for name, value in tags.attributes if name == "href"]
    assert set(found) == {link.removeprefix("#") for link in links}


def test_advice_is_a_table_and_other_boards_another() -> None:
    """Each way has what it needs and whether it fits; what needs another board stands apart."""
    ways = (
        Way((), Needs.NOTHING, 9_000, 30_000, 400_000, False),
        Way(("--objective ram",), Needs.NOTHING, 7_000, 31_000, 500_000, True),
        Way(("--target rp2040",), Needs.HARDWARE, 9_000, 30_000, 900_000, True),
    )
    page = render("html", replace(full_budget(), advice=Advice(ways, False)))
    here, boards = page.split("Other boards</h3>")
    assert "cut short" in here
    assert "--objective ram" in here.split("Ways to fit", 1)[1]
    assert "--target rp2040" not in here
    assert "--target rp2040" in boards
    assert "with --advice" not in page
    assert "with --advice" in render("html", full_budget())
    text = render("markdown", replace(full_budget(), advice=Advice(ways, False)))
    assert "Ways to fit, or to be faster, each planned anew; cut short" in text
    rows = [
        line for line in text.splitlines() if line.startswith("| &#45;&#45;") or "as asked" in line
    ]
    assert len(ways) >= len(rows) > 0


def test_what_is_not_known_is_not_drawn() -> None:
    """Without rates there is no roofline, without a run no verification, and the page says so."""
    page = render("html", sample_fits())
    assert {"roofline", "verification"}.isdisjoint(re.findall(r'<section id="(\w+)">', page))
    assert "No roofline" in page
    assert "was not run on this computer" in page
    assert "Nothing was compiled" in page
    assert "options were not recorded" in page


def test_the_command_asks_for_the_same_again() -> None:
    """What a shell reads of the command line is what was asked."""
    (text,) = re.findall(r"<pre[^>]*><code>(.*?)</code>", render("html", full_budget()))
    words = shlex.split(text.replace("&#39;", "'"))
    assert ["mcuplan", *full_budget().asked] == words


@pytest.mark.parametrize("name", [HOSTILE, "x" * 10_000, "\u202e\u2066" * 50, "<!--", "]]>", ""])
def test_hostile_names_stay_text(name: str) -> None:
    """Whatever things are named, the page has the tags that it has for harmless names."""
    harmless = _read(render("html", hostile_budget("a/b")))
    page = render("html", hostile_budget(name))
    tags = _read(page)
    assert set(harmless.seen) >= set(tags.seen) - {"wbr"}
    for tag in ("script", "style", "meta", "section", "svg", "rect", "input", "table", "td", "a"):
        assert harmless.seen.count(tag) == tags.seen.count(tag), tag
    assert len(name) > 1_000 or any(plain(name, unicode=True) in text for text in tags.texts)
    assert 400_000 > len(page)


@pytest.mark.parametrize("make", [by_rows_budget, hostile_budget, full_budget])
def test_no_label_leaves_its_picture(make: Callable[[], Budget]) -> None:
    """Words of the pictures stay inside, however long the names of a converter are."""
    page = render("html", make())
    pictures = re.findall(r"<svg .*?</svg>", page, re.DOTALL)
    assert 2 <= len(pictures)
    for text in pictures:
        for element in ElementTree.fromstring(text).iter(f"{{{_SPACE['s']}}}text"):
            one = 9 if element.get("class") == "head" else CHARACTER
            size = len(element.text or "") * one
            before = {"middle": size / 2, "end": size}.get(element.get("text-anchor", ""), 0)
            left = float(element.get("x", "")) - before
            assert -1 <= left
            assert WIDTH + 1 >= left + size


def test_rows_of_a_tensor_are_one_shape() -> None:
    """A map of 2,000 runs has a shape for each tensor, and a page that any browser opens."""
    budget = by_rows_budget()
    root = ElementTree.fromstring(render("svg", budget))
    groups = root.findall(".//s:g[@class='buffer']", _SPACE)
    assert 40 == len(groups)
    assert {1} == {len(group.findall("s:path", _SPACE)) for group in groups}
    assert not any(group.findall("s:rect", _SPACE) for group in groups)
    assert 300_000 > len(render("html", budget))


_ROWS = st.lists(
    st.builds(
        lambda name, offset, size, start, length, row: BufferRow(
            name, "sram", offset, size, start, start + length, None, "activation", row
        ),
        st.sampled_from("abc"),
        st.integers(0, 12),
        st.integers(1, 6),
        st.integers(0, 8),
        st.integers(1, 6),
        st.integers(0, 3) | st.none(),
    ),
    min_size=1,
    max_size=12,
)


@given(_ROWS)
@settings(max_examples=60, deadline=None)
def test_shapes_cover_the_bytes_that_are_held(rows: list[BufferRow]) -> None:
    """At every moment the shapes of a tensor are exactly its bytes, and each byte once."""
    blocks = blocks_of(rows)
    assert len(rows) == sum(len(block.rows) for block in blocks)
    for block in blocks:
        for moment in range(20):
            live = [r for r in block.rows if r.start <= moment < r.end]
            held = {n for r in live for n in range(r.offset, r.offset + r.bytes)}
            slabs = [s for shape in block.shapes for s in shape if s.start <= moment < s.end]
            drawn = [n for slab in slabs for n in range(slab.low, slab.high)]
            assert held == set(drawn)
            assert len(held) == len(drawn)
        for shape in block.shapes:
            assert all(one.end == two.start for one, two in pairwise(shape))


@given(_ROWS)
@settings(max_examples=60, deadline=None)
def test_live_bytes_count_shared_ones_once(rows: list[BufferRow]) -> None:
    """The curve is the number of different bytes that are held, moment by moment."""
    found = {moment: n for start, end, n in live_bytes(rows) for moment in range(start, end)}
    assert [start for start, _, _ in slabs_of(rows)] == [start for start, _, _ in live_bytes(rows)]
    for moment in range(20):
        live = [r for r in rows if r.start <= moment < r.end]
        held = {n for r in live for n in range(r.offset, r.offset + r.bytes)}
        assert len(held) == found.get(moment, 0)


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_tiles_fill_their_room_in_proportion(sizes: list[int]) -> None:
    """Areas are as the sizes, nothing lies outside, nothing on something else."""
    sizes = sorted(sizes, reverse=True)
    tiles = squarified(sizes, (10, 20, 300, 200))
    for size, (left, top, wide, high) in zip(sizes, tiles, strict=True):
        assert pytest.approx(60_000 * size / sum(sizes), rel=1e-6) == wide * high
        assert left >= 10 - 1e-6
        assert top >= 20 - 1e-6
        assert left + wide <= 310 + 1e-6
        assert top + high <= 220 + 1e-6
    for i, (a, b, c, d) in enumerate(tiles):
        for e, f, g, h in tiles[:i]:
            shared = min(a + c, e + g) - max(a, e), min(b + d, f + h) - max(b, f)
            assert min(shared) <= 1e-6


def test_tiles_are_the_sum_of_flash() -> None:
    """The treemap leaves out nothing and counts nothing twice, linked or not."""
    for budget in (sample_fits(), full_budget()):
        page = render("html", budget)
        legend = re.findall(r">(?:weights|tables|code|libraries) ([\d,]+) B<", page)
        assert budget.flash.total_bytes == sum(int(n.replace(",", "")) for n in legend)


def test_columns_are_kept_by_long_names() -> None:
    """A name has few columns in the table; in whole it stands under the pointer and in a list."""
    budget = by_rows_budget()
    page = render("html", budget)
    cells = re.findall(r'<th scope="row"[^>]*><bdi>(.*?)</bdi>', page)
    names = [cell.replace("<wbr>", "") for cell in cells]
    assert len(budget.layers) == len(names) == len(set(names))
    assert 28 >= max(map(len, names))
    assert f'title="{budget.layers[0].name}"' in page
    assert f"<bdi>{budget.layers[0].name}</bdi></li>" in page


def test_pictures_of_the_page_are_small() -> None:
    """The page of docs has a light and a dark picture of at most 60 KB, and links to both."""
    folder = Path(__file__).resolve().parents[2] / "docs"
    text = (folder / "html.md").read_text(encoding="utf-8")
    for name in ("light", "dark"):
        picture = folder / "pictures" / f"report-{name}.png"
        assert f"pictures/{picture.name}" in text
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert 60_000 > picture.stat().st_size


def test_limits_have_bars() -> None:
    """A limit of the user has a bar like a region, and what is over is marked."""
    budget = sample_budget()
    limited = replace(budget, ram=replace(budget.ram, budget_from="limit"))
    pages = [render("html", one) for one in (budget, limited)]
    assert 1 == pages[1].count("<meter") - pages[0].count("<meter")
    assert ">--max-ram<" in pages[1]
    assert 'meter class="over"' in pages[0]
