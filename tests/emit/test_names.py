# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from mcuplan.emit.names import c_prefix, comment_text, identifier, unique


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
