# SPDX-License-Identifier: Apache-2.0
"""Rules for the C in codegen/ that need no compiler: what firmware must not find in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

CODEGEN = Path(__file__).resolve().parents[1] / "codegen"
LINES = 300
COLUMNS = 100

HOST_ONLY = {  # the emulator's plugin
    "beats.c",
    "beats.h",
    "board.c",
    "board.h",
    "count.c",
    "issue.c",
    "issue.h",
    "issue_cores.h",
    "issue_m33.c",
    "issue_m7.c",
    "memory.c",
    "memory.h",
    "operands.c",
    "operands.h",
    "operands16.c",
    "operands_make.h",
    "plugin.c",
    "plugin.h",
    "plugin_probe.c",
    "qemu_plugin.h",
    "tally.c",
    "tally.h",
    "timing.c",
    "timing.h",
}
ALL = sorted(path for path in CODEGEN.rglob("*") if re.search(r"\.(c|h|ld)(\.in)?$", path.name))
KERNELS = [path for path in ALL if "kernels" in path.parts]
LINKED = [path for path in ALL if not {"harness", "packages"} & {*path.parts}]  # by firmware

HEADERS = re.compile(
    r'<(stdint|stddef|string)\.h>|"(mplan/)?mplan(_\w+)?\.h"|"\$\{\w+\}\.h"|MPLAN_CONFIG_H'
)
INTRINSICS = re.compile(r"<arm_(acle|mve)\.h>")  # fast kernels only
HEAP_AND_STREAMS = re.compile(r"\b(malloc|calloc|realloc|free|alloca|\w*printf|fopen|exit|abort)\b")
FLOATING = re.compile(r"\b(float|double)\b|\b\d+\.\d*(e[-+]?\d+)?f?\b")


def _shown(path: Path) -> str:
    return path.relative_to(CODEGEN.parent).as_posix()


def _code(path: Path) -> str:
    """The text without comments, and with strings and characters emptied."""
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
    text = path.read_text(encoding="ascii")
    return token.sub(lambda found: " " if found[0].startswith("/") else '""', text)


def _statements(path: Path) -> str:
    """The code without preprocessor lines and C++ guards."""
    text = re.sub(r"^#ifdef __cplusplus\n.*?^#endif", "", _code(path), flags=re.DOTALL | re.M)
    return re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n)*", "", text, flags=re.MULTILINE)


def _file_scope(path: Path) -> Iterator[str]:
    """Each declaration and function head at file scope in one line; ``@`` stands for braces."""
    text = re.sub(r"^\s*\$\{\w+\}\s*$", "", _statements(path), flags=re.MULTILINE)
    text, before = re.sub(r"\$\{\w+\}", "x", text), ""
    while text != before:
        text, before = re.sub(r"\{[^{}]*\}", "@", text), text
    for piece in re.split(r";|(?<=\))\s*@", text):
        declaration = " ".join(piece.split())
        if declaration and not declaration.startswith("MPLAN_STATIC_ASSERT"):
            yield declaration


def _is_variable(declaration: str) -> bool:
    if re.match(r"(typedef|enum|struct|union)\b", declaration) and "=" not in declaration:
        return False
    return "(" not in declaration.split("=")[0]


def _is_constant(declaration: str) -> bool:
    declarator = declaration.split("=")[0]
    last = declarator.rsplit("*", 1)[-1]
    return re.search(r"\bconst\b", last) is not None


def test_the_rules_see_the_code() -> None:
    """There are kernels, headers and templates to hold to the rules."""
    assert KERNELS
    assert {"kernels", "include", "templates"} == {
        path.relative_to(CODEGEN).parts[0] for path in LINKED
    }


@pytest.mark.parametrize(
    ("declaration", "variable", "constant"),
    [
        ("static const int8_t t[] = {}", True, True),
        ("static int32_t count", True, False),
        ("static const int8_t *next", True, False),
        ("static const int8_t *const table[2] = {}", True, True),
        ("int8_t buffer[4]", True, False),
        ("typedef struct {} x_t", False, False),
        ("void f(const int8_t *in, size_t n)", False, False),
    ],
)
def test_the_rules_tell_variables_from_the_rest(
    declaration: str, variable: bool, constant: bool
) -> None:
    """A pointer to constants is a variable unless it is constant itself."""
    assert variable == _is_variable(declaration)
    if variable:
        assert constant == _is_constant(declaration)


def test_files_are_short_and_plain() -> None:
    """A C file is ASCII, has at most 300 lines of at most 100 columns, and no tab."""
    wrong = []
    for path in ALL:
        lines = path.read_bytes().decode("ascii").split("\n")
        if len(lines) > LINES + 1:
            wrong.append(f"{_shown(path)}: {len(lines) - 1} lines")
        for number, line in enumerate(lines, 1):
            if (
                len(re.sub(r"\$\{\w+\}", "", line)) > COLUMNS
                or "\t" in line
                or line != line.rstrip()
            ):
                wrong.append(f"{_shown(path)}:{number}")
    assert [] == wrong


def test_every_file_names_its_licence() -> None:
    """What is linked with users' code is 0BSD; only the emulator's plugin is not."""
    wrong = []
    for path in ALL:
        licence = "Apache-2.0" if path.name in HOST_ONLY else "0BSD"
        first = path.read_text(encoding="ascii").split("\n", 1)[0]
        if first != f"/* SPDX-License-Identifier: {licence} */":
            wrong.append(_shown(path))
    assert [] == wrong


def test_includes_are_freestanding() -> None:
    """Firmware code includes <stdint.h>, <stddef.h>, <string.h>, its own and one it is told."""
    wrong = []
    for path in LINKED:
        fast = path in KERNELS and "c99" not in path.parts
        theirs = '"arm_nnfunctions.h"' if path.name == "mplan_cmsis_nn.h" else None
        for header in re.findall(r"^\s*#\s*include\s+(.+?)\s*$", path.read_text(), re.MULTILINE):
            known = HEADERS.fullmatch(header) or (fast and INTRINSICS.fullmatch(header))
            if not known and header != theirs:
                wrong.append(f"{_shown(path)} includes {header}")
    assert [] == wrong


def test_no_heap_and_no_streams() -> None:
    """Firmware code allocates nothing, prints nothing and never ends the program."""
    found = {_shown(path): HEAP_AND_STREAMS.findall(_code(path)) for path in LINKED}
    assert {} == {name: words for name, words in found.items() if words}


def test_kernels_of_integers_use_no_floating_point() -> None:
    """No such kernel and no header of one has a float; mplan.h has, for the application."""
    headers = [path for path in LINKED if path.match("include/mplan_*.h")]
    found = {_shown(p): [m[0] for m in FLOATING.finditer(_code(p))] for p in KERNELS + headers}
    integers = {n: words for n, words in found.items() if not re.search(r"_f32[._]", n)}
    assert {} == {n: words for n, words in integers.items() if words}


def test_no_variable_at_file_scope() -> None:
    """What stands at file scope is a type, a function or a constant."""
    wrong = [
        f"{_shown(path)}: {declaration}"
        for path in LINKED
        for declaration in _file_scope(path)
        if _is_variable(declaration) and not _is_constant(declaration)
    ]
    assert [] == wrong


def test_no_static_variable_in_a_function() -> None:
    """A function keeps nothing between calls: what is static inside it is constant."""
    kept = re.compile(r"^[ \t]+static\s+(?!const\b|inline\b)[^;{(]*[;=]", re.MULTILINE)
    wrong = [f"{_shown(p)}: {m[0].strip()}" for p in LINKED for m in kept.finditer(_statements(p))]
    assert [] == wrong


def test_public_names_have_the_prefix() -> None:
    """Functions of the library that other files can call start with ``mplan_``."""
    wrong = []
    for path in (path for path in LINKED if "templates" not in path.parts):
        for declaration in _file_scope(path):
            function = re.match(r"(?!static|typedef)[\w* ]+?(\w+)\s*\(", declaration)
            if function and not function[1].startswith("mplan_"):
                wrong.append(f"{_shown(path)}: {function[1]}")
    assert [] == wrong


def test_macros_of_vendors_are_theirs() -> None:
    """MPLAN_CONFIG_H may bring a vendor's headers: those of STM32 define UNUSED(x)."""
    taken = re.compile(r"^#define UNUSED\b", re.MULTILINE)
    assert [] == [_shown(path) for path in LINKED if taken.search(path.read_text("ascii"))]


def test_functions_of_assembly_are_marked_at_one_place() -> None:
    """What no flag may put a word into is written once, in mplan.h."""
    naked = [_shown(path) for path in LINKED if "(naked" in path.read_text("ascii")]
    assert ["codegen/include/mplan.h"] == naked


def test_kernels_of_several_folders_link() -> None:
    """The one public function of each kernel is MPLAN_KERNEL, so that copies of it may meet."""
    wrong = []
    for path in KERNELS:
        if path.suffix != ".c":
            continue
        heads = re.findall(r"^(.*)\bvoid (mplan_\w+)\(", _code(path), re.MULTILINE)
        public = [name for before, name in heads if "static" not in before]
        marked = re.findall(r"^MPLAN_KERNEL\s+void (mplan_\w+)\(", _code(path), re.MULTILINE)
        if not (public == marked == [path.stem]):
            wrong.append(_shown(path))
    assert [] == wrong


def test_fast_kernels_say_what_they_need() -> None:
    """Headers of DSP and vector kernels stop a build without their instructions."""
    wrong = []
    for path in sorted((CODEGEN / "include").glob("*_s8_*.h")):
        kind = path.stem.rsplit("_", 1)[-1].upper()
        needed = (f"__ARM_FEATURE_{kind}", "__ARM_FEATURE_UNALIGNED", "#error")
        if kind in {"DSP", "MVE"} and any(word not in path.read_text() for word in needed):
            wrong.append(_shown(path))
    for path in sorted((CODEGEN / "include").glob("*_f32_fpu.h")):
        if any(word not in path.read_text() for word in ("__ARM_FP", "#error")):
            wrong.append(_shown(path))
    assert [] == wrong
