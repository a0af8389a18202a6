# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from mcuplan.prove.misra import Breach, Category, Deviation, Rules, load_rules
from mcuplan.resources import codegen_dir

KEPT = Deviation("9.1", ("mplan/*",), "why", "what instead")
OTHER = Deviation("10.1", ("mplan/*",), "why", "what instead")
RULES = Rules(frozenset({"9.1"}), frozenset({"2.5"}), (KEPT, OTHER))


@pytest.mark.parametrize(
    ("rule", "file", "category", "is_open"),
    [
        ("10.1", "mplan/a.c", Category.REQUIRED, False),
        ("10.1", "net.c", Category.REQUIRED, True),
        ("2.5", "net.c", Category.ADVISORY, False),
        ("9.1", "mplan/a.c", Category.MANDATORY, True),  # a record does not help
        ("zerodiv", "mplan/a.c", Category.DEFECT, True),
    ],
)
def test_what_must_be_mended(rule: str, file: str, category: Category, is_open: bool) -> None:
    """Required rules and defects without a record in that file, and mandatory ones always."""
    found = Breach(rule, file, 1, RULES.category(rule), RULES.accepts(rule, file))
    assert (category, is_open) == (found.category, found.is_open)


def test_records_are_whole() -> None:
    """No rule is of two categories, none has two records, and no record is of a mandatory one."""
    rules = load_rules()
    recorded = [record.rule for record in rules.deviations]
    assert not rules.mandatory & rules.advisory
    assert not rules.mandatory & set(recorded)
    assert len(set(recorded)) == len(recorded)
    assert all(d.scope and d.reason and d.mitigation for d in rules.deviations)


def test_files_of_records_are_there() -> None:
    """A scope without a star names a kernel or a header that exists."""
    root = codegen_dir()
    files = {
        file.name for folder in ("include", "kernels") for file in (root / folder).rglob("*.[ch]")
    }
    named = {scope for record in load_rules().deviations for scope in record.scope}
    assert {name.removeprefix("mplan/") for name in named if "*" not in name} <= files
