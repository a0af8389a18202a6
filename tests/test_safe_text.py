# SPDX-License-Identifier: Apache-2.0
"""No text of a model or file does anything but be read, wherever it goes."""

from __future__ import annotations

import html
import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcuplan.report import wrap
from mcuplan.safe_text import (
    annotation,
    annotation_property,
    apart,
    arguments,
    c_prefix,
    comment_text,
    identifier,
    lines,
    markdown,
    plain,
    quoted,
    shown,
    unique,
)


@given(st.text(max_size=80))
def test_any_name_becomes_a_c_identifier(name: str) -> None:
    """Whatever a model calls a thing, C sees lower-case letters, digits and underscores."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", identifier(name))
    assert re.fullmatch(r"[a-z][a-z0-9_]*", c_prefix(name))


@given(st.text(max_size=200))
def test_no_name_ends_or_opens_a_comment(name: str) -> None:
    """Text inside a comment is one line of printable ASCII without comment marks."""
    text = comment_text(name)
    inside = f"/* {text} */"
    assert 1 == inside.count("*/")
    assert "/*" not in text
    assert "//" not in text
    assert "\\" not in text
    assert text.isascii()
    assert "" == text or text.isprintable()


@given(st.lists(st.text(max_size=10), unique=True, max_size=30))
def test_identifiers_of_different_names_differ(names: list[str]) -> None:
    """No two names share an identifier."""
    chosen = unique(names)
    assert len(names) == len(set(chosen.values()))


@given(st.lists(st.text("ab_1-", max_size=4) | st.just("x" * 60), max_size=12))
def test_prefixes_of_models_begin_no_name_of_another(names: list[str]) -> None:
    """Whatever follows two prefixes, the names differ; one that collides with none stays."""
    chosen = apart(names)
    assert len(names) == len(chosen)
    for k, one in enumerate(chosen):
        assert one == c_prefix(one)
        assert not any(f"{one}_".startswith(f"{other}_") for other in chosen[:k])
        assert not any(f"{other}_".startswith(f"{one}_") for other in chosen[:k])
    assert chosen[:1] == tuple(map(c_prefix, names[:1]))


def test_keywords_and_library_names_are_avoided() -> None:
    """A model called `int` or `mplan` does not clash with C or the library."""
    assert "int_" == identifier("int")
    assert "model_mplan" == c_prefix("mplan")
    assert "model_3d" == c_prefix("3d")


def test_reserved_names_are_avoided() -> None:
    """A name that the generated code needs for itself is given to nothing else."""
    chosen = unique(["ctx", "sram"], reserved=("ctx",))
    assert ["ctx_2", "sram"] == list(chosen.values())


@given(st.lists(st.sampled_from(["a", "a_real", "a_real_2", "a_2", "A", "real"]), unique=True))
def test_names_that_c_makes_of_identifiers_differ(names: list[str]) -> None:
    """An output that is called like the conversion of another gets another name."""
    chosen = unique(names, endings=("_real",)).values()
    assert 2 * len(names) == len({name + ending for name in chosen for ending in ("", "_real")})


@pytest.mark.parametrize("name", ["stdint", "string", "memory", "int", "assert", "mplan_x"])
def test_prefixes_shadow_no_header_and_no_reserved_name(name: str) -> None:
    """A model called like a header of C or a reserved word gets a prefix of its own."""
    prefix = c_prefix(name)
    assert prefix.startswith("model_")
    assert "__" not in f"{prefix}_invoke"


_HOSTILE = (
    "\x1b[31mred\x1b[0m\x07",  # escape sequences
    "\x1b]0;title\x07\r\x08\x7f\x9b2J",  # of the window, and of one byte
    "safe\u202egnp.exe\u2066\u200f",  # bidi marks
    "a\u2028b\u2029c\x85d\ve",  # line breaks that are no newline
    "*/ int x; /* // ??/ ??= \\",  # comments, trigraphs, splices
    "<script>alert('x')</script> & \"q\"",
    "[x](javascript:y) ![z](w) | a | @user #1 `code`",
    "::error file=a,title=b::c%0A",
    "\ud800 lone \udfff",  # surrogates
    "n" * 100_000,
    "\x00",
    "",
)


@pytest.mark.parametrize("text", _HOSTILE)
def test_hostile_text_is_one_quiet_line(text: str) -> None:
    """No control character, no mark that turns or breaks a line, and UTF-8 holds it."""
    for made in (plain(text), plain(text, unicode=True), shown(text), quoted(text), lines(text)):
        assert "" == made or made.isprintable()
        made.encode("utf-8")
    assert plain(text).isascii()
    assert quoted(text).isascii()
    assert len(shown(text)) <= 200
    assert len(quoted(text)) <= 63


def test_lines_of_a_tool_stay_lines() -> None:
    """What a compiler says keeps its lines; what is in them is made safe."""
    assert "one\n    \\x1b[2Jtwo" == lines("one\n\x1b[2Jtwo")


@pytest.mark.parametrize("command", ["::add-mask::x", "  ::error::x", "##[error]x", "##vso[x]y"])
def test_a_log_of_a_ci_finds_no_command(command: str) -> None:
    """Neither in a line of its own, nor where a message is folded, nor within a line."""
    folded = wrap(plain(f"a layer {command} " * 40), "", "   ", 40)
    for line in (*lines(f"one\n{command}").split("\n"), *folded):
        assert not line.lstrip().startswith("::")
        assert not re.search(r"##\w*\[", line)


@pytest.mark.parametrize(
    "text", ["@octocat", "#12", "!3", "~label", "$4", "a@b.example", "http://a.example/", "www.a.b"]
)
def test_a_host_finds_no_reference(text: str) -> None:
    """Mentions and addresses are parted in what a page shows, where escapes are gone."""
    shown = html.unescape(markdown(text))
    assert text == shown.replace("\u200b", "")
    assert not re.search(r"[@#!~$]\w|://|www\.", shown)


@pytest.mark.parametrize("text", _HOSTILE)
def test_hostile_text_in_reports(text: str) -> None:
    """Markdown has no mark left, an annotation no second command and no further property."""
    made = re.sub(r"&#\d+;", "", markdown(text))
    assert set(made).isdisjoint("\\`*_{}[]()<>#+!|@&~$\n")
    for said in (annotation(text), annotation_property(text)):
        assert "" == said or said.isprintable()
        assert not re.search(r"%(?!25|3A|2C)", said)
    assert set(annotation_property(text)).isdisjoint(":,")


@pytest.mark.parametrize("text", _HOSTILE)
def test_hostile_text_in_c(text: str) -> None:
    """A comment ends where it should; an identifier is one, and no path to elsewhere."""
    comment = comment_text(text)
    assert re.fullmatch(r"[ -~]{0,60}", comment)
    assert not re.search(r"\*/|/\*|//|\?\?|\\", comment)
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,54}", identifier(text))
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,60}", c_prefix(text))


def test_values_of_files_are_told_in_short() -> None:
    """Whatever a target file has in place of what it should."""
    assert ["true", "none"] == [quoted(True), quoted(None)]
    assert "a huge number" == quoted(1 << 200)
    assert ["a table", "an array"] == [quoted({}), quoted([1])]


def test_options_are_words_of_a_shell_whatever_names_hold() -> None:
    """Names of converters hold ``;``, spaces and quotes; plain ones stay as they are."""
    usual = ("--layer-dtype block/conv:0=int16", "--no-optimize", "--weight-block 32")
    assert " ".join(usual) == arguments(usual)
    odd = ("--layer-dtype a;b c=int16", "--layer-dtype it's $(x)=float32")
    words = [word for option in odd for word in option.split(" ", 1)]
    assert words == shlex.split(arguments(odd))
    assert "'a;b c=int16'" in arguments(odd)
