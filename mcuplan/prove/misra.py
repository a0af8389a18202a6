# SPDX-License-Identifier: Apache-2.0
"""Generated code and kernels against the rules of MISRA C:2012, by cppcheck and its addon.

Rule texts are licensed: rules go by their numbers. What a checker can decide is what is reported;
directives and rules beyond it are for people.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from mcuplan.errors import ToolFailed
from mcuplan.prove.cores import Core
from mcuplan.prove.toolchain import cross_compiler, find_tool, run_tool, write_files
from mcuplan.resources import codegen_dir
from mcuplan.tempfiles import temporary_folder

__all__ = ["Breach", "Category", "Deviation", "Rules", "check_rules", "load_rules"]

_PREFIX = "misra-c2012-"
_MACROS = ("__ARM", "__BYTE_ORDER", "__ELF__", "__GNUC__", "__ORDER", "__arm__", "__thumb")
_FIELDS = 4
_SEPARATOR = "|"
_IGNORED = frozenset({"information", "style", "performance", "portability"})
_TIMEOUT_S = 900.0


class Category(StrEnum):
    """How binding a rule is."""

    MANDATORY = "mandatory"
    REQUIRED = "required"
    ADVISORY = "advisory"
    DEFECT = "defect"  # of no rule: what the checker takes for an error


@dataclass(frozen=True, slots=True)
class Deviation:
    """A record: what is not kept where, why, and what holds instead."""

    rule: str
    scope: tuple[str, ...]
    reason: str
    mitigation: str

    def covers(self, rule: str, file: str) -> bool:
        """Whether findings of a rule in a file are accepted."""
        return rule == self.rule and any(fnmatchcase(file, scope) for scope in self.scope)


@dataclass(frozen=True, slots=True)
class Rules:
    """Categories of rules, and the deviations that are recorded."""

    mandatory: frozenset[str]
    advisory: frozenset[str]
    deviations: tuple[Deviation, ...]

    def category(self, rule: str) -> Category:
        """How binding a rule is; what neither list names is required."""
        if rule in self.mandatory:
            return Category.MANDATORY
        if rule in self.advisory:
            return Category.ADVISORY
        return Category.REQUIRED if rule[:1].isdigit() else Category.DEFECT

    def accepts(self, rule: str, file: str) -> bool:
        """Whether a deviation covers a finding; none covers that of a mandatory rule."""
        covered = any(record.covers(rule, file) for record in self.deviations)
        return covered and rule not in self.mandatory


@dataclass(frozen=True, slots=True, order=True)
class Breach:
    """One place that does not keep a rule. ``accepted``: a deviation covers it."""

    rule: str
    file: str
    line: int
    category: Category
    accepted: bool

    @property
    def is_open(self) -> bool:
        """Whether it must be mended, or recorded as a deviation."""
        return self.category is not Category.ADVISORY and not self.accepted


def load_rules() -> Rules:
    """`codegen/misra.toml`."""
    table = tomllib.loads((codegen_dir() / "misra.toml").read_text(encoding="utf-8"))
    records = (
        Deviation(d["rule"], tuple(d["scope"]), d["reason"], d["mitigation"])
        for d in table["deviation"]
    )
    return Rules(frozenset(table["mandatory"]), frozenset(table["advisory"]), tuple(records))


def check_rules(
    files: Mapping[PurePosixPath, str], core: Core, rules: Rules
) -> tuple[tuple[Breach, ...], str]:
    """What the sources of a bundle do not keep, by rule, file and line; the checker's version.

    Args:
        files: the bundle, paths relative to its folder.
        core: whose macros the compiler defines.
        rules: categories and deviations.

    Raises:
        ToolMissing, ToolFailed: ``cppcheck`` or the compiler is missing, or failed.
    """
    cppcheck, compiler = find_tool("cppcheck"), cross_compiler()
    version = run_tool([cppcheck, "--version"], Path.cwd()).stdout.strip()
    with temporary_folder() as work:
        write_files(files, work)
        command = [
            cppcheck,
            "--addon=misra",
            "--std=c99",
            "--platform=unix32",
            "--enable=style",
            "--quiet",
            "-I.",
            "-Implan",
            f"--template={_SEPARATOR.join(('{file}', '{line}', '{severity}', '{id}'))}",
            *_defines(compiler.path, core.flags, work),
            *(str(path) for path in sorted(files) if path.suffix == ".c"),
        ]
        said = run_tool(command, work, timeout_s=_TIMEOUT_S).stderr
    found = set(_breaches(said.splitlines(), {str(path) for path in files}, rules))
    return tuple(sorted(found)), version


def _defines(compiler: str, flags: Sequence[str], work: Path) -> list[str]:
    """Macros of the core, as the compiler defines them."""
    (work / "empty.h").write_text("", encoding="utf-8")
    text = run_tool([compiler, *flags, "-dM", "-E", "empty.h"], work).stdout
    found = []
    for line in sorted(text.splitlines()):
        name, _, value = line.removeprefix("#define ").partition(" ")
        if name.startswith(_MACROS) and "(" not in name:
            found.append(f"-D{name}={value}")
    return found


def _breaches(lines: Iterable[str], files: set[str], rules: Rules) -> Iterator[Breach]:
    """What cppcheck says.

    Raises:
        ToolFailed: it, or its addon, did not work.
    """
    for line in lines:
        file, number, severity, name = [*line.split(_SEPARATOR), "", "", ""][:_FIELDS]
        if not number.isdigit() or name in ("internalError", "syntaxError", "missingInclude"):
            hint = "`cppcheck --addon=misra` must work: apt-get install cppcheck"
            raise ToolFailed(f"cppcheck could not check the sources: {line[:200]}", "", hint)
        rule = name.removeprefix(_PREFIX)
        if file not in files or (rule == name and severity in _IGNORED | {"warning"}):
            continue
        yield Breach(rule, file, int(number), rules.category(rule), rules.accepts(rule, file))
