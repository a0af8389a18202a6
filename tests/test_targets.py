# SPDX-License-Identifier: Apache-2.0
"""Target files: the shipped ones are clean, and every mistake is found and coded."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from mcuplan.errors import EXIT_USAGE, McuplanError, Problems, TargetError
from mcuplan.resources import targets_dir
from mcuplan.targets import CORES, RATES, describe, lint, list_targets, load_target
from mcuplan.units import Origin

GENERIC = tuple(f"cortex-m{core}" for core in ("0", "0plus", "3", "33", "4", "55", "7"))

GOOD = """\
name = "my-board"
extends = "cortex-m4"
clock_hz = 80_000_000
sources.clock_hz = "our clock tree"

[[region]]
name = "sram"
kind = "ram"
bytes = 131_072
reserved_bytes = 4_096
source = "datasheet, table 2"

[[region]]
name = "flash"
kind = "flash"
bytes = 524_288
source = "datasheet, table 2"
"""

FIGURE = '{ value = 2.0, unit = "cycles/mac", origin = "measured", source = "bench" }'


def write(folder: Path, text: str | bytes, name: str = "board.toml") -> Path:
    """A file with that text in a folder."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def codes(errors: tuple[McuplanError, ...]) -> list[str]:
    """The codes, in order."""
    return [error.code for error in errors]


@pytest.mark.parametrize("name", list_targets())
def test_shipped_files_are_clean(name: str) -> None:
    """Every shipped file lints clean, is named after its target and has RAM and flash to use."""
    assert () == lint(name)
    target = load_target(name)
    assert name == target.name
    assert target.description
    assert any(region.usable_bytes for region in target.ram)
    assert any(region.usable_bytes for region in target.flash)
    assert all(region.source for region in target.regions)
    assert target.sources["clock_hz"]
    assert (name in GENERIC) is target.generic
    assert set(RATES) == set(target.rates["c99"])


@pytest.mark.parametrize("name", list_targets())
def test_shipped_files_are_in_the_documented_form(name: str) -> None:
    """A shipped file is ASCII with a licence line, and says so where its sizes are no part's."""
    text = (targets_dir() / f"{name}.toml").read_text(encoding="ascii")
    assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n")
    generic = load_target(name).generic
    assert generic == ('source = "representative"' in text)


def test_real_boards_cover_every_core() -> None:
    """There are at least ten real boards, and for each generic core at least one."""
    targets = [load_target(name) for name in list_targets()]
    real = [target for target in targets if not target.generic]
    assert len(real) >= 10
    assert set(GENERIC) <= {target.core for target in real}
    assert set(GENERIC) == {target.name for target in targets if target.generic}


def test_readme_example_is_clean_and_keys_are_documented(tmp_path: Path) -> None:
    """The example in targets/README.md lints clean, and each core, feature and rate is named."""
    readme = (targets_dir() / "README.md").read_text()
    example = re.search(r"```toml\n(.*?)```", readme, re.DOTALL)
    assert example is not None
    assert () == lint(write(tmp_path, example[1]))
    words = {feature for features in CORES.values() for feature in features} | set(RATES)
    assert set() == {word for word in words if f"`{word}`" not in readme}


def test_a_users_file_inherits_from_a_core(tmp_path: Path) -> None:
    """A board takes core, features, flags and figures from its core, sizes from itself."""
    base, board = load_target("cortex-m4"), load_target(write(tmp_path, GOOD))
    assert (base.core, base.features, base.flags) == (board.core, board.features, board.flags)
    assert (base.rates, base.energy, base.timing) == (board.rates, board.energy, board.timing)
    assert not board.generic
    assert 80_000_000 == board.clock_hz
    assert [("sram", 126_976), ("flash", 524_288)] == [
        (region.name, region.usable_bytes) for region in board.regions
    ]


def test_one_figure_replaces_one_figure(tmp_path: Path) -> None:
    """A figure in a file replaces the inherited one whole, and leaves its neighbours."""
    path = write(tmp_path, f"{GOOD}\n[rates]\nc99.conv2d = {FIGURE}\ndsp.dense = {FIGURE}\n")
    board, base = load_target(path), load_target("cortex-m4")
    rate = board.rate("c99", "conv2d")
    assert (2.0, Origin.MEASURED, "bench") == (rate.value, rate.origin, rate.note)
    assert base.rate("c99", "pool") == board.rate("c99", "pool")
    assert 2.0 == board.rate("dsp", "dense").value
    assert base.rate("dsp", "conv2d") == board.rate("dsp", "conv2d")
    assert board.rate("c99", "conv2d") == board.rate("none-of-it", "conv2d")


def test_a_board_may_extend_a_board(tmp_path: Path) -> None:
    """Clock, its source and all regions come from a built-in board, but not from a generic core."""
    board = load_target(write(tmp_path, 'name = "mine"\nextends = "stm32h743"\n'))
    assert load_target("stm32h743").regions == board.regions
    assert 480_000_000 == board.clock_hz
    errors = lint(write(tmp_path, 'name = "mine"\nextends = "cortex-m7"\n'))
    assert {"board.toml: region", "board.toml: clock_hz", "board.toml: sources"} == {
        error.where for error in errors
    }
    assert {"target/missing-key"} == set(codes(errors))


MISTAKES = [
    ("name =", 'nmae = "x" #', "target/unknown-key", "nmae", 'did you mean "name"'),
    ("bytes = 131", "byte = 131", "target/unknown-key", "region[0].byte", "bytes"),
    ("name =", "#", "target/missing-key", "name", "my-board"),
    ('source = "datasheet, table 2"', "#", "target/missing-key", "region[0].source", "datasheet"),
    ("sources.clock_hz", "#", "target/missing-key", "sources", "clock_hz"),
    ("80_000_000", "0", "target/bad-value", "clock_hz", ""),
    ("80_000_000", "-5", "target/bad-value", "clock_hz", ""),
    ("80_000_000", "true", "target/bad-value", "clock_hz", ""),
    ("80_000_000", "80e6", "target/bad-value", "clock_hz", ""),
    ("80_000_000", "1" + "0" * 900, "target/bad-value", "clock_hz", ""),
    ("80_000_000", "0x" + "f" * 900, "target/bad-value", "clock_hz", ""),
    ("80_000_000", "1979-05-27", "target/bad-value", "clock_hz", ""),
    ("131_072", '"128 KiB"', "target/bad-value", "region[0].bytes", "131_072"),
    ("131_072", "0", "target/bad-value", "region[0].bytes", ""),
    ("4_096", "131_073", "target/bad-value", "region[0].reserved_bytes", ""),
    ("4_096", "-1", "target/bad-value", "region[0].reserved_bytes", ""),
    ('"flash"\nkind', '"sram"\nkind', "target/bad-value", "region[1].name", "rename"),
    ('kind = "ram"', 'kind = "rom"', "target/bad-value", "region[0].kind", "did you mean"),
    ('kind = "ram"', 'kind = "flash"', "target/bad-value", "region", 'kind = "ram"'),
    ('kind = "flash"', 'kind = "ram"', "target/bad-value", "region", 'kind = "flash"'),
    ('"cortex-m4"', '"cortex-m5"', "target/bad-value", "extends", "did you mean"),
    ('"cortex-m4"', "[4]", "target/bad-value", "extends", ""),
    ("clock_hz =", 'core = "cortex-m9"\nclock_hz =', "target/bad-value", "core", "did you mean"),
    ("clock_hz =", 'features = ["mve"]\nclock_hz =', "target/bad-value", "features", "dsp"),
    ("clock_hz =", 'features = "dsp"\nclock_hz =', "target/bad-value", "features", ""),
    ("clock_hz =", 'features = ["dsp"]\nclock_hz =', "target/bad-value", "flags", "fpu"),
    ("clock_hz =", 'flags = ["-mthumb"]\nclock_hz =', "target/bad-value", "flags", "-mcpu"),
    ("clock_hz =", 'flags = ["-mcpu=cortex-m4", "-o/x"]\nclock_hz =', "target/bad-value", "flags", ""),  # noqa: E501
    ("clock_hz =", 'generic = "no"\nclock_hz =', "target/bad-value", "generic", "true or false"),
    ("clock_hz =", "energy = 4\nclock_hz =", "target/bad-value", "energy", "[energy]"),
    ("clock_hz =", f"rates.c99.conv3d = {FIGURE}\nclock_hz =", "target/unknown-key", "rates.c99.conv3d", "conv2d"),  # noqa: E501
    ("clock_hz =", f"rates.C99.conv2d = {FIGURE}\nclock_hz =", "target/unknown-key", "rates.C99", "c99"),  # noqa: E501
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "code", "key", "hint"), MISTAKES)
def test_each_mistake_is_found(
    tmp_path: Path, old: str, new: str, code: str, key: str, hint: str
) -> None:
    """One mistake in a good file gives its code at its key, with a hint that helps."""
    assert old in GOOD
    errors = lint(write(tmp_path, GOOD.replace(old, new, 1)))
    found = [error for error in errors if error.where == f"board.toml: {key}"]
    assert [code] == codes(tuple(found)), errors
    assert hint in found[0].hint
    assert found[0].hint
    assert EXIT_USAGE == found[0].exit_status


@pytest.mark.parametrize(
    ("part", "replacement", "code", "key"),
    [
        ("2.0", "0", "target/bad-value", "value"),
        ("2.0", "nan", "target/bad-value", "value"),
        ("2.0", "inf", "target/bad-value", "value"),
        ("2.0", "1" + "0" * 500, "target/bad-value", "value"),
        ("2.0", '"2"', "target/bad-value", "value"),
        ("value = 2.0, ", "", "target/missing-key", "value"),
        ("cycles/mac", "cycles", "target/bad-value", "unit"),
        ("measured", "guessed", "target/bad-value", "origin"),
        (', source = "bench"', "", "target/missing-key", "source"),
        ("bench", "", "target/bad-value", "source"),
        ("source", "sorce", "target/unknown-key", "sorce"),
    ],
)
def test_each_mistake_in_a_figure_is_found(
    tmp_path: Path, part: str, replacement: str, code: str, key: str
) -> None:
    """A figure needs a positive finite value, its unit, a known origin and a source."""
    figure = FIGURE.replace(part, replacement, 1)
    errors = lint(write(tmp_path, f"{GOOD}\n[rates.c99]\ndepthwise = {figure}\n"))
    assert (code, f"board.toml: rates.c99.depthwise.{key}") in {(e.code, e.where) for e in errors}


def test_all_mistakes_are_found_at_once(tmp_path: Path) -> None:
    """Five mistakes in one file are five errors of one run, and loading raises them together."""
    text = (
        GOOD.replace('"my-board"', '"My Board"')
        .replace("80_000_000", "0")
        .replace("4_096", "200_000")
        .replace('"ram"', '"rma"')
        .replace("source =", "sauce =", 1)
    )
    path = write(tmp_path, text)
    expected = {"name", "clock_hz", "region[0].reserved_bytes", "region[0].kind", "region"}
    expected |= {"region[0].source", "region[0].sauce"}
    assert {f"board.toml: {key}" for key in expected} == {error.where for error in lint(path)}
    with pytest.raises(Problems) as caught:
        load_target(path)
    assert len(expected) == len(caught.value.errors)
    assert EXIT_USAGE == caught.value.exit_status


def test_without_extends_everything_must_be_there(tmp_path: Path) -> None:
    """A file that extends nothing is told each missing table and how to inherit it."""
    errors = lint(write(tmp_path, GOOD.replace('extends = "cortex-m4"', "")))
    keys = {"core", "flags", "rates", "energy", "timing", "code_model"}
    assert {f"board.toml: {key}" for key in keys} == {error.where for error in errors}
    assert {"target/missing-key"} == set(codes(errors))
    assert "extends" in errors[0].hint


@pytest.mark.parametrize(
    "value",
    ['"a b"', '"../x"', '"a\\"b"', '"a\\nb"',
     '"a\\u0000b"', '"*/"', '"1a"', '"A"', '""', '"\\u00e9"', "5"],
)  # fmt: skip
def test_names_that_reach_c_are_checked(tmp_path: Path, value: str) -> None:
    """No name, section or text with quotes, controls or path parts passes; messages are clean."""
    for key in ("name", "section"):
        text = GOOD.replace("kind =", f"{key} = {value}\nkind =", 1)
        if key == "name":
            text = text.replace('name = "sram"\n', "")
        if (key, value) in {("section", '"1a"'), ("section", '"A"')}:
            continue
        errors = lint(write(tmp_path, text))
        assert ["target/bad-value"] == codes(errors)
        assert f"board.toml: region[0].{key}" == errors[0].where
        assert all(str(error).isascii() and str(error).isprintable() for error in errors)
    if value not in {'"a b"', '"../x"', '"a\\"b"', '"*/"', '"1a"', '"A"'}:
        errors = lint(write(tmp_path, GOOD.replace('"datasheet, table 2"', value, 1)))
        assert ["target/bad-value"] == codes(errors)


def test_two_default_ram_regions_are_refused(tmp_path: Path) -> None:
    """Two RAM regions without a section, or with the same one, cannot be told apart by a linker."""
    more = '[[region]]\nname = "fast"\nkind = "ram"\nbytes = 64\nsource = "x"\n'
    errors = lint(write(tmp_path, GOOD + more))
    assert ["board.toml: region[2].section"] == [error.where for error in errors]
    assert () == lint(write(tmp_path, GOOD + more + 'section = ".fast"\n'))


def test_region_names_differ_in_c_too(tmp_path: Path) -> None:
    """Two names that become one C identifier count as the same name."""
    more = '[[region]]\nname = "{}"\nkind = "ram"\nbytes = 64\nsection = ".{}"\nsource = "x"\n'
    text = GOOD + more.format("d-tcm", "a") + more.format("d_tcm", "b")
    assert ["board.toml: region[3].name"] == [error.where for error in lint(write(tmp_path, text))]


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00",
        b"name = \xc3\x28",
        b"name = ",
        b"[[region]\n",
        b"a = 1\na = 2\n",
        b"x = " + b"[\n" * 30_000,
        b"x = " + b"[" * 900,
        b"x = " + b"{a=" * 300,
        b"a" + b".a" * 480 + b" = 1\n",
        b"a" + b".a" * 20_000 + b" = 1\n",
        b"x = 1" + b"0" * 5_000,
        b"#" * 70_000,
        b"name = 'a\x00b'",
        b"\x00" * 100,
    ],
)
def test_hostile_content_is_a_coded_error(tmp_path: Path, content: bytes) -> None:
    """Binary, deep, long or huge content ends in target/* errors of exit status 2."""
    errors = lint(write(tmp_path, content))
    assert errors
    assert all(code.startswith("target/") for code in codes(errors))
    assert {EXIT_USAGE} == {error.exit_status for error in errors}
    assert all(len(str(error)) < 600 and str(error).isprintable() for error in errors)


def test_many_tables_take_no_time(tmp_path: Path) -> None:
    """A file at the size limit, full of mistakes, still gives each of them."""
    text = "".join(f"[a{i}]\n" for i in range(6_000))
    errors = lint(write(tmp_path, text))
    assert 6_000 == codes(errors).count("target/unknown-key")


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    """Folders, pipes, dangling and circular links, huge sparse files and odd names are refused."""
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    (tmp_path / "gone.toml").symlink_to("nowhere.toml")
    os.mkfifo(tmp_path / "pipe.toml")
    with (tmp_path / "huge.toml").open("wb") as stream:
        stream.truncate(1 << 30)
    cases = {
        tmp_path: "target/unreadable",
        tmp_path / "pipe.toml": "target/unreadable",
        tmp_path / "loop.toml": "target/unreadable",
        tmp_path / "huge.toml": "target/unreadable",
        tmp_path / "gone.toml": "target/not-found",
        tmp_path / "none.toml": "target/not-found",
        "/dev/zero": "target/unreadable",
        "": "target/not-found",
        "no\0thing": "target/not-found",
        "./no\0thing": "target/unreadable",
        "x" * 5_000: "target/not-found",
        "../" + "x" * 5_000: "target/unreadable",
        "STM32H734": "target/not-found",
        "stm32h734": "target/not-found",
    }
    for path, code in cases.items():
        assert [code] == codes(lint(path)), path
        with pytest.raises(TargetError):
            load_target(path)


def test_unreadable_and_odd_file_names(tmp_path: Path) -> None:
    """A name that nearly exists is corrected; odd file names never reach a message raw."""
    assert 'did you mean "stm32h7' in lint("STM32H742")[0].hint
    path = write(tmp_path, "x = 1", name="a\nb\x1b[31m\udcff.toml")
    for error in (*lint(path), *lint(str(path) + "x.toml")):
        assert str(error).isprintable()
        assert str(error).isascii()


def test_links_and_plain_names_of_files_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link to a good file is a good file, and a built-in name wins over a file of that name."""
    path = write(tmp_path, GOOD)
    (tmp_path / "link.toml").symlink_to(path)
    assert "my-board" == load_target(tmp_path / "link.toml").name
    monkeypatch.chdir(tmp_path)
    write(tmp_path, GOOD, name="plain")
    write(tmp_path, GOOD, name="cortex-m4")
    assert "my-board" == load_target("plain").name
    assert load_target("cortex-m4").generic
    assert "my-board" == load_target("./cortex-m4").name


def test_capitals_of_a_built_in_name_do_not_matter() -> None:
    """Makers write the names of their boards in capitals."""
    assert "nucleo-l4r5zi" == load_target("NUCLEO-L4R5ZI").name


def test_extends_never_leaves_the_built_in_folder(tmp_path: Path) -> None:
    """A file extends built-in targets only, never a path."""
    write(tmp_path, GOOD, name="other.toml")
    for base in ("other", "./other.toml", str(tmp_path / "other.toml"), "../targets/cortex-m4"):
        text = GOOD.replace('"cortex-m4"', f'"{base}"')
        errors = lint(write(tmp_path, text))
        assert "board.toml: extends" in {error.where for error in errors}


def test_a_circle_of_built_in_files_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built-in files that extend each other in a circle end in an error, not in a loop."""
    monkeypatch.setattr("mcuplan.targets.targets_dir", lambda: tmp_path)
    for name, base in (("a", "b"), ("b", "c"), ("c", "a")):
        write(tmp_path, f'name = "{name}"\nextends = "{base}"\n', name=f"{name}.toml")
    errors = [error for error in lint("a") if error.where == "a.toml: extends"]
    assert ["goes round in a circle"] == [error.message for error in errors]


def test_describe_shows_every_figure_with_its_source() -> None:
    """The rows for people name each region and figure with a source, and generic sizes as such."""
    for name in ("cortex-m4", "stm32h747"):
        target = load_target(name)
        rows = describe(target)
        shown = {what for what, _, _ in rows}
        assert {f"region {region.name}" for region in target.regions} <= shown
        assert {f"rates.c99.{key}" for key in RATES} <= shown
        assert all(source for what, _, source in rows if "." in what or "region" in what)
        assert target.generic is ("sizes" in shown)
    rows = dict(row[:2] for row in describe(load_target("stm32h747")))
    assert "flash 2,097,152 B, 1,048,576 B reserved for firmware" == rows["region flash"]
    assert "ram 524,288 B, wait states 1" == rows["region axi"]
