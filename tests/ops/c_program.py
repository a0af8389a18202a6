# SPDX-License-Identifier: Apache-2.0
"""One C program that runs many cases and compares every byte with what is expected."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from run_objects import kernel_objects

from mcuplan.emit.c_writer import array, initializer
from mcuplan.ir.op import Call, ConstArray, Kernel
from mcuplan.ir.types import Array, DType, TensorType
from mcuplan.price.structs import kernel_struct
from mcuplan.prove.toolchain import host_compiler
from mcuplan.resources import codegen_dir

from .cases import Case

WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wundef", "-Werror"]
SANITIZE = ["-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"]
_GAP = 5  # bytes between shuffled rows, which nothing may touch

_PRELUDE = """
#include <stdio.h>
#include <string.h>

static int failures = 0;

static void place(int8_t *to, const void *from, const uint16_t *table, size_t rows, size_t bytes)
{
    for (size_t y = 0U; y < rows; y++) {
        memcpy(&to[table[y]], (const int8_t *)from + (y * bytes), bytes);
    }
}

static void compare(const char *name, const int8_t *found, const void *expected, size_t bytes)
{
    const int8_t *const wanted = expected;

    for (size_t i = 0U; i < bytes; i++) {
        if (found[i] != wanted[i]) {
            printf("%s: byte %u is %d, not %d\\n", name, (unsigned)i, found[i], wanted[i]);
            failures++;
            break;
        }
    }
}
"""


class Program:
    """Collects cases; :meth:`run` compiles once and gives the lines of what differs."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._sources: dict[str, str] = {}  # backend of each
        self._parts: list[str] = []
        self._main: list[str] = []

    def add(self, case: Case, kernel: Kernel) -> None:
        """Run a case in every arrangement of rows."""
        for call in kernel.lower(case.sig):
            self._sources[call.function or kernel.function] = kernel.backend
        k = len(self._main)
        _Arrangements(f"c{k}", case, kernel, self._rng, self._parts).write()
        self._main.append(f"    run_c{k}();")

    def run(
        self,
        folder: Path,
        *,
        compiler: str = "gcc",
        sanitize: bool = True,
        library: Sequence[str] = (),
    ) -> list[str]:
        """What the program prints: one line for each difference.

        ``library``: flags and sources of one that kernels call.
        """
        includes = "".join(f'#include "{stem}.h"\n' for stem in sorted(self._sources))
        main = "\n".join(["int main(void)\n{", *self._main, "    return failures != 0;\n}\n"])
        source = folder / "cases.c"
        source.write_text(includes + _PRELUDE + "\n".join(self._parts) + main)
        flags = [*WARNINGS, *(SANITIZE if sanitize else []), "-O0"]
        asked = [*flags, *(word for word in library if not word.endswith(".c"))]
        kernels = kernel_objects(host_compiler(compiler), self._sources, folder, asked)
        command = [compiler, *flags, f"-I{codegen_dir() / 'include'}"]
        command += [str(source), *kernels, *library]
        program = folder / "cases"
        subprocess.run([*command, "-o", str(program)], check=True)
        done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        return done.stdout.splitlines()


class _Arrangements:
    """C text of one case: whole, row by row from the end, rows shuffled, and in place."""

    def __init__(
        self, name: str, case: Case, kernel: Kernel, rng: np.random.Generator, parts: list[str]
    ) -> None:
        self.name, self.case, self.kernel, self.rng, self.parts = name, case, kernel, rng, parts
        self.calls = kernel.lower(case.sig)
        self.output, self.outputs = case.sig.output, case.sig.outputs
        self.tags = ["" if k == 0 else str(k + 1) for k in range(len(self.outputs))]
        self.rows = (case.sig.inputs[0] if case.sig.op.gathers else self.output).rows
        self.body: list[str] = []

    def write(self) -> None:
        """Everything of the case, a function run_<name>() at the end."""
        for index, values in enumerate(self.case.arrays):
            if any(index in call.inputs for call in self.calls):
                self.parts.append(array(f"{self.name}_in{index}", DType.of(values), values))
        for tag, kind, wanted in zip(self.tags, self.outputs, self.case.integers(), strict=True):
            assert wanted.dtype == kind.dtype.value
            assert wanted.shape == kind.shape
            self.parts.append(array(f"{self.name}_wanted{tag}", DType.of(wanted), wanted))
            self.parts.append(f"static int8_t {self.name}_out{tag}[{wanted.nbytes}];\n")
        scratch = self.kernel.scratch_bytes(self.case.sig)
        if scratch:
            self.parts.append(f"static MPLAN_ALIGNED(4) int8_t {self.name}_scratch[{scratch}];\n")
        for k, call in enumerate(self.calls):
            self._params(f"{self.name}_p{k}", call, shuffled=False)
        rows = self.rows
        self._run("whole", [(0, rows)])
        order = range(rows) if self.case.sig.op.gathers else reversed(range(rows))
        self._run("by rows", [(y, y + 1) for y in order])
        self._inplace()
        self._shuffled()
        body = "\n".join(self.body)
        self.parts.append(f"static void run_{self.name}(void)\n{{\n{body}\n}}\n")

    def _params(self, name: str, call: Call, *, shuffled: bool) -> None:
        struct = kernel_struct(call.function or self.kernel.function)
        fields: dict[str, object] = {}
        for key, value in call.fields.items():
            fields[key] = value
            if isinstance(value, ConstArray):
                shared = name.replace("_s", "_p") if shuffled else name
                fields[key] = f"{shared}_{key}"
                if not shuffled:
                    self.parts.append(array(f"{name}_{key}", value.dtype, value.values))
        for position, index in enumerate(call.inputs):
            key = "in_rows" if position == 0 else f"in{position + 1}_rows"
            constant = self.case.sig.constants[index] is not None
            table = f"{self.name}_t{index}" if shuffled and not constant else ""
            fields[key] = _rows(self.case.sig.inputs[index], table)
        for tag, kind in zip(self.tags, self.outputs, strict=True):
            fields[f"out{tag}_rows"] = _rows(kind, f"{self.name}_to{tag}" if shuffled else "")
        self.parts.append(initializer(name, struct, fields, self.case.name))

    def _call(self, k: int, call: Call, params: str, inputs: list[str], out: str, y: str) -> None:
        outs = [f"{out}{tag}" for tag in self.tags]
        arguments = [f"&{params}{k}", *inputs, *outs, y]
        if self.kernel.scratch_bytes(self.case.sig):
            arguments.append(f"{self.name}_scratch")
        function = call.function or self.kernel.function
        self.body.append(f"    {function}({', '.join(arguments)});")

    def _run(self, title: str, ranges: list[tuple[int, int]]) -> None:
        out = f"{self.name}_out"
        self._spoil(out)
        for y0, y1 in ranges:
            for k, call in enumerate(self.calls):
                inputs = [self._source(i) for i in call.inputs]
                self._call(k, call, f"{self.name}_p", inputs, out, f"{y0}U, {y1}U")
        self._compare(title, out, (f"{self.name}_wanted", ""))

    def _spoil(self, stem: str) -> None:
        """Bytes that no kernel wrote, in every output."""
        for name in (f"{stem}{tag}" for tag in self.tags):
            self.body.append(f"    memset({name}, 0x55, sizeof {name});")

    def _source(self, index: int) -> str:
        """An input as the kernels take it."""
        name = f"{self.name}_in{index}"
        plain = self.case.sig.inputs[index].dtype is DType.INT8
        return name if plain else f"(const int8_t *){name}"

    def _compare(self, title: str, found: str, wanted: tuple[str, str]) -> None:
        text = f"{self.case.name} {self.kernel.function} {title}"
        for tag in self.tags:
            one = f"{wanted[0]}{tag}{wanted[1]}"
            self.body.append(f'    compare("{text}", {found}{tag}, {one}, sizeof {one});')

    def _inplace(self) -> None:
        """The output over each input that allows it."""
        sig = self.case.sig
        for victim in sig.op.inplace_inputs:
            same = victim < len(sig.inputs) and sig.inputs[victim].nbytes == self.output.nbytes
            if not same or sig.constants[victim] is not None:
                continue
            out, source = f"{self.name}_out", f"{self.name}_in{victim}"
            self.body.append(f"    memcpy({out}, {source}, sizeof {source});")
            for k, call in enumerate(self.calls):
                names = [out if i == victim else self._source(i) for i in call.inputs]
                self._call(k, call, f"{self.name}_p", names, out, f"0U, {self.output.rows}U")
            self._compare(f"in place of {victim}", out, (f"{self.name}_wanted", ""))

    def _shuffled(self) -> None:
        """Rows in random order with gaps between them, of inputs and output."""
        used = sorted({i for call in self.calls for i in call.inputs})
        for index in used:
            if self.case.sig.constants[index] is None:
                self._scatter(f"t{index}", f"{self.name}_in{index}", self.case.sig.inputs[index])
        found = f"{self.name}_found"
        for tag, kind in zip(self.tags, self.outputs, strict=True):
            self._scatter(f"to{tag}", f"{self.name}_wanted{tag}", kind)
            size = kind.rows * (kind.row_bytes + _GAP)
            self.parts.append(f"static int8_t {found}{tag}[{size}];\n")
        self._spoil(found)
        for k, call in enumerate(self.calls):
            self._params(f"{self.name}_s{k}", call, shuffled=True)
            names = []
            for i in call.inputs:
                constant = self.case.sig.constants[i] is not None
                names.append(self._source(i) if constant else f"{self.name}_t{i}_rows")
            self._call(k, call, f"{self.name}_s", names, found, f"0U, {self.rows}U")
        self._compare("shuffled rows", found, (f"{self.name}_to", "_rows"))

    def _scatter(self, stem: str, source: str, kind: TensorType) -> None:
        rows, nbytes = kind.rows, kind.row_bytes
        order = self.rng.permutation(rows)
        table: Array = order * (nbytes + _GAP) + self.rng.integers(0, _GAP, rows)
        name = f"{self.name}_{stem}"
        self.parts.append(array(name, DType.UINT16, table))
        self.parts.append(f"static int8_t {name}_rows[{rows * (nbytes + _GAP)}];\n")
        self.body.append(f"    memset({name}_rows, 0x55, sizeof {name}_rows);")
        self.body.append(f"    place({name}_rows, {source}, {name}, {rows}U, {nbytes}U);")


def _rows(kind: TensorType, table: str) -> str:
    if table:
        return f"{{.stride = 1U, .table = {table}}}"
    return f"{{.stride = {kind.row_bytes}U, .table = NULL}}"
