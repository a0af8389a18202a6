# SPDX-License-Identifier: Apache-2.0
"""Random layers, and a bare-metal program that runs kernels on them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from string import Template

import numpy as np
from run_objects import kernel_objects

from mcuplan.emit.c_writer import array, initializer
from mcuplan.ir.geometry import hulls
from mcuplan.ir.op import ConstArray, Kernel, Op, QuantRule, Signature
from mcuplan.ir.types import Array, DType, Quant, TensorType
from mcuplan.price.structs import kernel_struct
from mcuplan.prove.cores import core_named
from mcuplan.prove.toolchain import compile_sources, cross_compiler

HERE = Path(__file__).resolve().parent
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wundef", "-Werror"]
_GAP = 5


@dataclass(frozen=True, slots=True)
class Board:
    """A core and its emulated machine; nothing may access the memory around `guards`.

    ``code`` and ``ram`` are origin and size of what the linker fills, ``guards`` the first byte
    and the end of the data RAM, and the end of the code RAM.
    """

    core: str
    code: tuple[int, int]
    ram: tuple[int, int]
    guards: tuple[int, int, int]

    def script(self) -> str:
        """What links a program for it."""
        values = [f"{value:#x}" for value in (*self.code, *self.ram)]
        names = ("code_origin", "code_bytes", "ram_origin", "ram_bytes")
        template = Template((HERE / "board.ld.in").read_text())
        return template.substitute(dict(zip(names, values, strict=True)))


M4 = Board(
    "cortex-m4", (0x100, 0x3AFF00), (0x20020000, 0x3C0000), (0x20010000, 0x203F0000, 0x3F0000)
)
M3 = replace(M4, core="cortex-m3")
M0PLUS = replace(M4, core="cortex-m0plus")  # its code on an M3
M55 = Board(
    "cortex-m55", (0x1000000, 0x1C0000), (0x21020000, 0x3C0000), (0x21000000, 0x21400000, 0x1200000)
)


def layer(
    op: Op,
    rng: np.random.Generator,
    shape: tuple[int, ...],
    weights: tuple[int, ...],
    *,
    real: float = 0.0,
    least: int = -127,
) -> Signature:
    """A weighted operator on random codes; ``real`` is the factor of its requantization.

    Without ``real`` the outputs about fill their range. ``least`` is the least weight.
    """
    outputs, taps = weights[0], int(np.prod(weights[1:]))
    values = rng.integers(least, 128, weights).astype(np.int8)
    values[rng.random(weights) < 0.1] = least
    scale = real or float(rng.uniform(0.5, 3.0)) * 127 / (75.0 * 73.0 * np.sqrt(taps))
    scales = tuple(float(s) for s in scale * rng.uniform(0.5, 1.0, outputs))
    bias = rng.integers(-3000, 3000, outputs).astype(np.int32)
    zero_in, zero_out = (int(rng.choice([-128, 0, 127, rng.integers(-128, 128)])) for _ in "io")
    kinds = (
        TensorType(shape, DType.INT8, Quant.per_tensor(1.0, zero_in)),
        TensorType(weights, DType.INT8, Quant(scales, (0,) * outputs, 0)),
        TensorType((outputs,), DType.INT32, Quant(scales, (0,) * outputs, 0)),
    )
    out_shape = op.infer([TensorType(k.shape) for k in kinds])[0].shape
    output = TensorType(out_shape, DType.INT8, Quant.per_tensor(1.0, zero_out))
    return Signature(op, kinds, (output,), (None, values, bias))


def narrowed(
    rng: np.random.Generator, sig: Signature, least: int = -7, block: int | None = None
) -> Signature:
    """The same layer with weights of 4 bits, on scales of channels or of blocks."""
    dtype = DType.INT4_BLOCKS if block else DType.INT4
    quant = replace(sig.inputs[1].q, dtype=dtype, factored=block)
    kind = replace(sig.inputs[1], dtype=dtype, quant=quant)
    values, bias = rng.integers(least, 8, kind.shape), sig.constant(2) // 16
    if block:
        size = kind.shape[-1]
        factors = rng.integers(1, 16, (*kind.shape[:-1], -(-size // block)))
        values, bias = values * np.repeat(factors, block, axis=-1)[..., :size], sig.constant(2)
    constants = (None, values.astype(np.int8), bias)
    return replace(sig, inputs=(sig.inputs[0], kind, sig.inputs[2]), constants=constants)


def wide_layer(
    op: Op, rng: np.random.Generator, shape: tuple[int, ...], weights: tuple[int, ...], bits: int
) -> Signature:
    """A weighted operator on int16, weights of 8 bits or of as many as 32 bits have sums of."""
    outputs, taps = weights[0], int(np.prod(weights[1:]))
    reach = 127 if bits == 8 else min(32767, 60000 // taps)
    values = rng.integers(-reach, reach + 1, weights).astype(f"int{bits}")
    real = float(rng.uniform(0.3, 3.0)) / (0.6 * reach * np.sqrt(taps))
    scales = tuple(float(s) for s in real * rng.uniform(0.5, 1.0, outputs))
    bias = rng.integers(-300000, 300000, outputs).astype(np.int32)
    zero_in, zero_out = (int(rng.choice([0, 0, 300, -7])) for _ in "io")
    dtype = DType.INT8 if bits == 8 else DType.INT16
    kinds = (
        TensorType(shape, DType.INT16, Quant.per_tensor(1.0, zero_in, DType.INT16)),
        TensorType(weights, dtype, Quant(scales, (0,) * outputs, 0, dtype)),
        TensorType((outputs,), DType.INT32, Quant(scales, (0,) * outputs, 0, DType.INT32)),
    )
    out_shape = op.infer([TensorType(k.shape) for k in kinds])[0].shape
    quant = Quant.per_tensor(1.0, zero_out, DType.INT16)
    output = TensorType(out_shape, DType.INT16, quant)
    return Signature(op, kinds, (output,), (None, values, bias))


def unweighted(op: Op, rng: np.random.Generator, *shapes: tuple[int, ...]) -> Signature:
    """An operator on activations alone, all on grids near each other."""
    shared = Quant.per_tensor(0.03, int(rng.integers(-128, 128)))
    scales = rng.uniform(0.02, 0.05, len(shapes))
    free = op.quant_rule is QuantRule.FREE and rng.random() < 0.7
    zeros = rng.integers(-128, 128, len(shapes))
    grids = zip(scales, zeros, strict=True)
    quants = [Quant.per_tensor(float(s), int(z)) if free else shared for s, z in grids]
    pairs = zip(shapes, quants, strict=True)
    kinds = tuple(TensorType(shape, DType.INT8, quant) for shape, quant in pairs)
    out_shape = op.infer([TensorType(shape) for shape in shapes])[0].shape
    output = TensorType(out_shape, DType.INT8, shared)
    return Signature(op, kinds, (output,), (None,) * len(shapes))


def codes(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType = DType.INT8) -> Array:
    """Values of a type, one in ten at an end of the range."""
    values = rng.integers(dtype.low, dtype.high + 1, shape)
    ends = rng.choice([dtype.low, dtype.high], shape)
    return np.where(rng.random(shape) < 0.1, ends, values).astype(dtype.numpy)


class BoardProgram:
    """Collects layers and kernels; :meth:`run` gives the lines of what differs."""

    def __init__(self, seed: int, board: Board = M4) -> None:
        self.board = board
        self.rng = np.random.default_rng(seed)
        self.kernels: dict[str, Kernel] = {}
        self.parts: list[str] = []
        self.names: list[str] = []

    def add(
        self, sig: Signature, kernel: Kernel, *, inplace: bool = False, value: int | None = None
    ) -> None:
        """One layer by one kernel; ``value``: that all activations have."""
        self.kernels[kernel.function] = kernel
        name = f"t{len(self.names)}"
        self.names.append(name)
        pairs = zip(sig.inputs, sig.constants, strict=True)
        inputs = [codes(self.rng, k.shape, k.dtype) if v is None else v for k, v in pairs]
        if value is not None:
            inputs[0][...] = value
        (call,) = kernel.lower(sig)
        fields: dict[str, object] = dict(call.fields)
        for key, value in call.fields.items():
            if isinstance(value, ConstArray):
                self.parts.append(array(f"{name}_{key}", value.dtype, value.values))
                fields[key] = f"{name}_{key}"
        packed = fields.get("packed")
        if not packed:
            self.parts.append(f"static const int32_t {name}_packed[1];\n")
        for index in call.inputs:
            self.parts.append(array(f"{name}_in{index}", DType.of(inputs[index]), inputs[index]))
        wanted = sig.op.integer(sig, *inputs)[0]
        self.parts.append(array(f"{name}_wanted", DType.of(wanted), wanted))
        self._params(name, kernel, fields, sig, call.inputs)
        scratch = kernel.scratch_bytes(sig)
        self.parts.append(_call(name, kernel, bool(packed), bool(scratch), call.inputs))
        label = f"{kernel.function} {sig.op} {[kind.shape for kind in sig.inputs]}"
        above = _above(sig) if kernel.row_by_row else -1
        self.parts.append(_test(name, label, sig, scratch, above, inplace))

    def _params(
        self,
        name: str,
        kernel: Kernel,
        fields: dict[str, object],
        sig: Signature,
        operands: tuple[int, ...],
    ) -> None:
        kinds = {"in": sig.inputs[0], "out": sig.output}
        for side, kind in kinds.items():
            order = self.rng.permutation(kind.rows)
            apart = kind.dtype.nbytes()
            gaps = self.rng.integers(0, _GAP, kind.rows) * apart
            table = order * (kind.row_bytes + _GAP * apart) + gaps
            self.parts.append(array(f"{name}_{side}_table", DType.UINT16, table))
        struct = kernel_struct(kernel.function)
        for suffix in ("", "_shuffled"):
            rows: dict[str, object] = {
                f"{side}_rows": f"{{.stride = 1U, .table = {name}_{side}_table}}"
                if suffix
                else f"{{.stride = {kind.row_bytes}U, .table = NULL}}"
                for side, kind in kinds.items()
            }
            for position, index in enumerate(operands[1:], 2):
                stride = sig.inputs[index].row_bytes
                rows[f"in{position}_rows"] = f"{{.stride = {stride}U, .table = NULL}}"
            self.parts.append(initializer(f"{name}_p{suffix}", struct, fields | rows, name))

    def run(self, folder: Path, gcc: str, qemu: str, level: str = "-O2") -> list[str]:
        """Compile, run on the emulated core, and return what it prints.

        ``level``: of the kernels; what calls them is one object at all levels.
        """
        names = ", ".join(f"&{name}" for name in self.names)
        ends = (
            f"const test_t *const tests[] = {{ {names} }};\n"
            f"const size_t test_count = {len(self.names)}U;\n"
        )
        includes = "".join(f'#include "{stem}.h"\n' for stem in sorted(self.kernels))
        source = folder / "cases.c"
        source.write_text('#include "board.h"\n' + includes + "\n".join(self.parts) + ends)
        shutil.copyfile(HERE / "board.c", folder / "board.c")
        script = folder / "board.ld"
        script.write_text(self.board.script())
        core, compiler = core_named(self.board.core), cross_compiler()
        guards = zip(("FIRST", "LAST", "CODE_LAST"), self.board.guards, strict=True)
        flags = [*core.flags, *FLAGS]
        backends = {stem: kernel.backend for stem, kernel in self.kernels.items()}
        kernels = kernel_objects(compiler, backends, folder, [*flags, level])
        flags += ["-O1", "-Icodegen/include", f"-I{HERE}"]
        flags += [f"-D{name}={address:#x}U" for name, address in guards]
        own = compile_sources(compiler, map(PurePosixPath, ("cases.c", "board.c")), folder, flags)
        command = [gcc, *core.flags, *(str(folder / path) for path in own), *kernels]
        command += ["-nostartfiles", "--specs=nano.specs", f"-T{script}"]
        image = folder / "cases.elf"
        subprocess.run([*command, "-o", str(image)], check=True)
        emulate = [qemu, "-M", core.machine, "-nographic", "-monitor", "none", "-serial", "none"]
        emulate += ["-semihosting-config", "enable=on,target=native", "-kernel", str(image)]
        done = subprocess.run(emulate, capture_output=True, text=True, check=False, timeout=120)
        lines = (done.stdout + done.stderr).splitlines()
        assert lines or done.returncode == 0, f"exit status {done.returncode}"
        return lines


def _call(name: str, kernel: Kernel, packed: bool, scratch: bool, operands: tuple[int, ...]) -> str:
    """Further operands stay where they are."""
    second = "".join(f", (const void *){name}_in{k}" for k in operands[1:])
    last = ", scratch" if scratch else ""
    own = "p.packed = (const void *)packed;" if packed else "(void)packed;"
    unused = "" if scratch else "    (void)scratch;\n"
    return f"""\
static void {name}_call(const int8_t *in, int8_t *out, size_t y0, size_t y1, int8_t *scratch,
                        const int32_t *packed, int shuffled)
{{
    {kernel.function}_t p = shuffled ? {name}_p_shuffled : {name}_p;

    {own}
{unused}    {kernel.function}(&p, in{second}, out, y0, y1{last});
}}
"""


def _above(sig: Signature) -> int:
    """Bytes that an input lies above the output when each row takes the place of dead ones."""
    first, end = hulls(sig.rows_read(0))
    first = np.where(first == end, sig.inputs[0].rows, first)
    lowest = np.minimum.accumulate(first[::-1])[::-1]
    above = np.arange(1, len(first) + 1) * sig.output.row_bytes - lowest * sig.inputs[0].row_bytes
    return max(0, int(above.max()))


def _test(name: str, label: str, sig: Signature, scratch: int, above: int, inplace: bool) -> str:
    source, output = sig.inputs[0], sig.output
    return f"""\
static const test_t {name} = {{
    .name = "{label}", .call = {name}_call,
    .in = (const void *){name}_in0, .wanted = (const void *){name}_wanted,
    .packed = (const void *){name}_packed, .out_table = {name}_out_table,
    .in_table = {name}_in_table, .packed_bytes = sizeof {name}_packed, .in_rows = {source.rows}U,
    .in_bytes = {source.row_bytes}U, .out_rows = {output.rows}U, .out_bytes = {output.row_bytes}U,
    .scratch_bytes = {scratch}U, .above = {above}, .inplace = {int(inplace)},
}};
"""


def supporting(kernels: Iterable[Kernel], function: str, sig: Signature) -> Kernel | None:
    """The kernel of that name, if it supports the layer."""
    return next(
        (k for k in kernels if k.op is type(sig.op) and k.function == function and k.supports(sig)),
        None,
    )
