# SPDX-License-Identifier: Apache-2.0
"""Where configuration is found, and how sizes and times are written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_nets import small_net

from mcuplan.cli import run
from mcuplan.cli._app import _parameter
from mcuplan.cli._models import COMMANDS
from mcuplan.config import KEYS, find_config, read_config
from mcuplan.config.parse import parse_count, parse_range, parse_seconds, parse_size
from mcuplan.errors import ConfigError, Problems


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [
        ("65536", 65536),
        ("64K", 65536),
        ("64KiB", 65536),
        ("64 kb", 65536),
        ("1.5M", 1_572_864),
        ("65_536", 65536),
        ("0", 0),
        ("2G", 1 << 31),
    ],
)
def test_sizes(text: str, nbytes: int) -> None:
    """K, M and G are powers of 1024, with or without B or iB."""
    assert nbytes == parse_size(text)


@pytest.mark.parametrize(
    "text", ["", "K", "-1", "64X", "1.3", "1e3", "64K64", "9" * 40, "9" * 400, "\u0664"]
)
def test_no_sizes(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match=r"size|whole"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("50ms", 0.05), ("0.05s", 0.05), ("800 us", 8e-4), ("10ns", 1e-8)]
)
def test_times(text: str, seconds: float) -> None:
    """A time has a unit."""
    assert seconds == pytest.approx(parse_seconds(text))


@pytest.mark.parametrize("text", ["50", "ms", "0ms", "-1ms", "1h", "1e-3s", "9" * 400 + "s"])
def test_no_times(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="time"):
        parse_seconds(text)


@pytest.mark.parametrize("text", ["batch", "=1", "batch=", "batch=0", "batch=-1", "batch=1.5"])
def test_no_dimensions(text: str) -> None:
    """A dimension is a name and a whole number of at least 1."""
    with pytest.raises(ValueError, match="NAME=VALUE"):
        parse_count(text)


@pytest.mark.parametrize(
    ("text", "name", "ends"),
    [
        ("image=0:255", "image", (0.0, 255.0)),
        ("0:255", "", (0.0, 255.0)),
        ("in=put:0=-1.5:2e1", "in=put:0", (-1.5, 20.0)),
    ],
)
def test_ranges(text: str, name: str, ends: tuple[float, float]) -> None:
    """The name may hold any sign, and may be left out."""
    assert (name, ends) == parse_range(text)


@pytest.mark.parametrize("text", ["", "x", "x=1", "1:1", "2:1", "=0:1", "0:inf", "nan:1", "x:0"])
def test_no_ranges(text: str) -> None:
    """A range is two numbers, the lower one first."""
    with pytest.raises(ValueError, match="NAME=LOW:HIGH"):
        parse_range(text)


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ('input-range = "0:255"', ("0:255",)),
        ('input-range = { a = "0:1", b = "-1:1" }', ("a=0:1", "b=-1:1")),
    ],
)
def test_ranges_of_a_file(line: str, given: tuple[str, ...], tmp_path: Path) -> None:
    """One text for the only input, or a table."""
    path = tmp_path / "mcuplan.toml"
    path.write_text(line)
    assert read_config(path)["input-range"] == given
    path.write_text("input-range = { a = 3 }")
    with pytest.raises((ConfigError, Problems), match="NAME=LOW:HIGH"):
        read_config(path)


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_options(key: str) -> None:
    """Every key of a file is a parameter that commands have."""
    assert _parameter(key) in {option.name for command in COMMANDS for option in command.params}


def test_a_range_of_a_file_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The input has the scale of the range that the file states."""
    small_net().save(tmp_path / "net.onnx")
    (tmp_path / "mcuplan.toml").write_text('target = "cortex-m4"\ninput-range = "0:255"')
    monkeypatch.chdir(tmp_path)
    assert 0 == run(["generate", "net.onnx", "--calibration", "random", "-q", "-o", "out"])
    assert "INPUT_SCALE (1.0f)" in (tmp_path / "out" / "net.h").read_text()


@pytest.mark.parametrize(
    ("line", "given"), [('"boxes"', ("boxes",)), ('["boxes", "two words"]', ("boxes", "two words"))]
)
def test_names_of_a_file(line: str, given: tuple[str, ...], tmp_path: Path) -> None:
    """One tensor, or a list of them."""
    path = tmp_path / "mcuplan.toml"
    path.write_text(f"cut-output = {line}")
    assert given == read_config(path)["cut-output"]
    path.write_text("cut-output = [3]")
    with pytest.raises((ConfigError, Problems), match="list of texts"):
        read_config(path)


def test_the_nearest_file_up_to_the_repository_root(tmp_path: Path) -> None:
    """The nearest file wins, and nothing above the repository is looked at."""
    root = tmp_path / "repository"
    inner = root / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "mcuplan.toml").write_text("")
    assert find_config(inner) is None
    (root / ".git").mkdir()
    assert find_config(inner) is None
    (root / "pyproject.toml").write_text("[project]\n")
    assert find_config(inner) is None
    (root / "pyproject.toml").write_text("[tool.mcuplan]\n")
    assert root / "pyproject.toml" == find_config(inner)
    (root / "a" / "mcuplan.toml").write_text("")
    assert root / "a" / "mcuplan.toml" == find_config(inner)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """Data, baselines, reports and target files lie where the file says, from its folder."""
    path = tmp_path / "mcuplan.toml"
    path.write_text(
        'target = "boards/own.toml"\ncalibration = "data.npz"\nmax-ram = 65_536\n'
        'report = { junit = "out.xml" }\ndim = { batch = 1 }\n'
    )
    found = read_config(path)
    assert str(tmp_path / "boards/own.toml") == found["target"]
    assert str(tmp_path / "data.npz") == found["calibration"]
    assert (f"junit={tmp_path / 'out.xml'}",) == found["report"]
    assert "65536" == found["max-ram"]
    assert ("batch=1",) == found["dim"]


def test_names_and_random_are_no_paths(tmp_path: Path) -> None:
    """A target's name and the word random stay as they are."""
    path = tmp_path / "mcuplan.toml"
    path.write_text('target = "rp2040"\ncalibration = "random"\n')
    assert {"target": "rp2040", "calibration": "random"} == dict(read_config(path))


@pytest.mark.parametrize(
    "text",
    [
        "max-ram = true",
        "max-ram = 1.5",
        "max-latency = 5",
        "dim = 1",
        'report = "a.xml"',
        "target = 1",
        "targets = 1",
        "exit-zero = 1",
        "= 1",
        "[",
        "a = " + "[" * 5000,
        "max-ram = " + "9" * 400,
        'baseline = "a\\u0000b"',
        'report = { json = "a\\u0000b" }',
    ],
)
def test_mistakes_are_errors(text: str, tmp_path: Path) -> None:
    """Every mistake is a configuration error that names the file."""
    path = tmp_path / "mcuplan.toml"
    path.write_text(text + "\n")
    with pytest.raises((ConfigError, Problems)) as caught:
        read_config(path)
    assert "mcuplan.toml" in str(caught.value)


@pytest.mark.parametrize("text", ["tool = 5 # [tool.mcuplan", "[[tool]]\na = 1 # [tool.mcuplan"])
def test_a_tool_that_is_no_table(text: str, tmp_path: Path) -> None:
    """The table of all tools is not trusted either."""
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="not a table"):
        read_config(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A configuration is a regular file."""
    os.mkfifo(tmp_path / "mcuplan.toml")
    with pytest.raises(ConfigError, match="regular"):
        read_config(tmp_path / "mcuplan.toml")


@pytest.mark.parametrize(
    ("text", "key", "given"),
    [
        ("columns = ['ax', 3]", "columns", "ax,3"),
        ('columns = "ax,ay"', "columns", "ax,ay"),
        ("window = 100", "window", "100"),
        ('preprocess = { size = "96x96", mean = 128 }', "preprocess", "size=96x96,mean=128"),
        ('preprocess = "scale=1/255"', "preprocess", "scale=1/255"),
        ('observer = "percentile:99.9"', "observer", ("percentile:99.9",)),
        ('observer = { x = "mse" }', "observer", ("x=mse",)),
        ('observer = ["entropy", "x=mse"]', "observer", ("entropy", "x=mse")),
    ],
)
def test_how_files_become_samples(text: str, key: str, given: object, tmp_path: Path) -> None:
    """Lists, tables and texts, as the options take them."""
    (tmp_path / "mcuplan.toml").write_text(text)
    assert given == read_config(tmp_path / "mcuplan.toml")[key]


@pytest.mark.parametrize(
    "text",
    [
        *("window = 0", "hop = true", "columns = []", "columns = [1.5]", 'columns = "a,a"'),
        *(
            'preprocess = "size=0"',
            'preprocess = { crop = "3" }',
            "observer = 3",
            'observer = "kl"',
        ),
    ],
)
def test_what_is_no_such_way_is_refused(text: str, tmp_path: Path) -> None:
    """Each with the key that is wrong, and an example of that key."""
    (tmp_path / "mcuplan.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_config(tmp_path / "mcuplan.toml")
    assert caught.value.where.endswith(text.split(" ")[0])
    assert "cut-output" not in caught.value.message


_TABLES = """\
target = "nucleo-f411re"

[budget]
max-ram = "64K"
max-region = { sram = "48K" }
warn-at = "90%"
fail-on = ["growth=512", "warning"]

[models."kws.onnx"]
max-ram = "16K"
calibration = "kws.npz"

[models."vision/vww.onnx".budget]
max-latency = "100ms"
"""


def test_budgets_of_all_models_and_of_one(tmp_path: Path) -> None:
    """A model's own table counts on top, by its path from the file or by its name."""
    path = tmp_path / "mcuplan.toml"
    path.write_text(_TABLES)
    common = read_config(path)
    assert ("65536", ("sram=48K",), "90.0") == tuple(
        common[key] for key in ("max-ram", "max-region", "warn-at")
    )
    assert "max-latency" not in common
    kws = read_config(path, Path("elsewhere/kws.onnx"))
    assert ("16384", str(tmp_path / "kws.npz")) == (kws["max-ram"], kws["calibration"])
    vision = read_config(path, tmp_path / "vision" / "vww.onnx")
    assert ("65536", "100ms") == (vision["max-ram"], vision["max-latency"])
    assert common == read_config(path, tmp_path / "other.onnx")


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("\n[budget]\nmax-rom = 1", "mcuplan.toml:3: budget.max-rom", "unknown key"),
        ("[budget]\n\n# text\nmax-ram = 'x'", "mcuplan.toml:4: budget.max-ram", "no size"),
        ("max-ram = 1\n[budget]\nmax-ram = 2", "mcuplan.toml:3: budget.max-ram", "outside"),
        ("budget = 3", "mcuplan.toml:1: budget", "must be a table"),
        ("models = 3", "mcuplan.toml:1: models", "must be a table"),
        ("[models]\n'a.b' = 1", "mcuplan.toml:2: models.a.b", "must be a table"),
        ('[models."k.onnx"]\nx = 1', "mcuplan.toml:2: models.k.onnx.x", "unknown key"),
        (
            '[models."k.onnx"]\n"max-ram" = 1\nbudget.max-flash = "y"',
            "mcuplan.toml:3: models.k.onnx.budget.max-flash",
            "no size",
        ),
        ("[budget]\nmax-region = { sram = 1.5 }", "mcuplan.toml:2: budget.max-region", "whole"),
        ("[budget]\nfail-on = 'grow'", "mcuplan.toml:2: budget.fail-on", "growth"),
        ("[budget]\nfail-on = ['warning=3']", "mcuplan.toml:2: budget.fail-on", "growth"),
        ("[budget]\nwarn-at = '200%'", "mcuplan.toml:2: budget.warn-at", "percentage"),
        ("[models.x.models]", "mcuplan.toml:1: models.x.models", "unknown key"),
    ],
)
def test_mistakes_have_a_line(text: str, where: str, said: str, tmp_path: Path) -> None:
    """What is wrong in a table is said with its line."""
    path = tmp_path / "mcuplan.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said) as caught:
        read_config(path, Path("k.onnx"))
    assert where == caught.value.where
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n[tool.mcuplan]\nx = 1\n")
    with pytest.raises(ConfigError) as caught:
        read_config(tmp_path / "pyproject.toml")
    assert "pyproject.toml:4: x" == caught.value.where


def test_many_mistakes_are_told_soon(tmp_path: Path) -> None:
    """Of a file full of mistakes the first hundred, each with its line."""
    path = tmp_path / "mcuplan.toml"
    path.write_text("".join(f"key{i} = 1\n" for i in range(20_000)))
    with pytest.raises(Problems) as caught:
        read_config(path)
    assert [f"mcuplan.toml:{i + 1}: key{i}" for i in range(100)] == [
        error.where for error in caught.value.errors
    ]


def test_a_table_of_a_model_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets of a file are those of the option; the option beats them."""
    for name in ("net", "other"):
        small_net().save(tmp_path / f"{name}.onnx")
    text = 'target = "cortex-m4"\n[models."net.onnx".budget]\nmax-ram = 100\n'
    (tmp_path / "mcuplan.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert [1, 0] == [run(["check", f"{name}.onnx", "-q"]) for name in ("net", "other")]
    assert 0 == run(["check", "net.onnx", "-q", "--max-ram", "64K"])
