# SPDX-License-Identifier: Apache-2.0
"""A plan becomes a bundle: header, source, and the kernels it calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from string import Template
from types import MappingProxyType

from mcuplan import __version__
from mcuplan.emit.arenas import arena_macros, arena_types, arenas_of, linker_values
from mcuplan.emit.bundle import Bundle, BundlePort
from mcuplan.emit.c_writer import call, float_literal
from mcuplan.emit.constants import step_constants
from mcuplan.emit.names import c_prefix, comment_text, unique
from mcuplan.emit.structs import ARENA_ALIGN
from mcuplan.ir.graph import Node, Port
from mcuplan.ir.op import Kernel
from mcuplan.ir.types import DType
from mcuplan.resources import codegen_dir
from mcuplan.schedule.program import Plan, Step

__all__ = ["Stamp", "emit"]

_ABI = 1


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the header says of its making. Nothing in it changes from run to run."""

    model: str  # file name
    sha256: str
    options: str = "none"
    stack: str = "see the report"


def emit(plan: Plan, name: str, stamp: Stamp) -> Bundle:
    """C sources of a plan, as text.

    Raises:
        InputTooLarge: a layer is larger than its kernel addresses.
    """
    return _Writer(plan, c_prefix(name), stamp).bundle()


class _Writer:
    """One bundle being written; every method gives a piece of text."""

    def __init__(self, plan: Plan, name: str, stamp: Stamp) -> None:
        self.plan, self.name, self.stamp = plan, name, stamp
        self.graph, self.steps = plan.program.graph, plan.program.steps
        self.members = unique(plan.memory, reserved=("ctx",))  # NAME_ctx_t is the context
        self.arenas = arenas_of(plan, self.members)
        self.regions = tuple((arena.member, arena.nbytes) for arena in self.arenas)
        self.constants = tuple(
            step_constants(step, self.graph.node_name(step.node)) for step in self.steps
        )
        self.macros = self._offset_macros()
        self.inputs = self._ports(self.graph.inputs, "input")
        self.outputs = self._ports(self.graph.outputs, "output")

    def bundle(self) -> Bundle:
        """Everything, as files."""
        common = {
            "file": self.name,
            "name": self.name,
            "NAME": self.name.upper(),
            "version": __version__,
            "target": self.plan.program.target.name,
            "model": comment_text(self.stamp.model),
            "sha256": self.stamp.sha256,
            "options": comment_text(self.stamp.options, 200),
            "abi": str(_ABI),
            "align": str(ARENA_ALIGN),
            "stack": comment_text(self.stamp.stack, 200),
        }
        files = {
            PurePosixPath(f"{self.name}.h"): _fill("model.h.in", common | self._header()),
            PurePosixPath(f"{self.name}.c"): _fill("model.c.in", common | self._source()),
        }
        files |= _library({step.kernel for step in self.steps})
        sources = " ".join(str(path) for path in files if path.suffix == ".c")
        stub = _fill("model.mk.in", common | {"sources": sources})
        files[PurePosixPath(f"{self.name}.mk")] = stub
        linker = linker_values(self.name, self.arenas)
        if linker is not None:
            files[PurePosixPath(f"{self.name}.ld")] = _fill("model.ld.in", common | linker)
        symbols = tuple(symbol for c in self.constants for symbol in c.symbols)
        return Bundle(
            self.name,
            MappingProxyType(files),
            self.inputs,
            self.outputs,
            self.regions,
            symbols,
            len(self.steps),
            tuple((a.member, a.memory) for a in self.arenas if a.region.section),
        )

    # -- addresses --------------------------------------------------------------------

    def _offset_macros(self) -> Mapping[str, str]:
        """Macro of the offset of each tensor that owns bytes, and of each scratch."""
        names = [*self._owners(), *self.plan.allocation.scratch.values()]
        return {n: f"OFFSET_{c.upper()}" for n, c in unique(names).items()}

    def _owners(self) -> list[str]:
        """Activations in order; views that start where their source does are left out."""
        return [name for name in self.plan.allocation.slots if self._owner(name) == name]

    def _owner(self, tensor: str) -> str:
        """The tensor whose address a view has."""
        slots, producers = self.plan.allocation.slots, self._producers
        while tensor in producers and producers[tensor].name not in self._runs:
            source = producers[tensor].inputs[0]
            if slots[source] != slots[tensor]:
                break
            tensor = source
        return tensor

    @cached_property
    def _runs(self) -> frozenset[str]:
        """Names of the nodes that are steps."""
        return frozenset(step.node.name for step in self.steps)

    @cached_property
    def _producers(self) -> Mapping[str, Node]:
        return self.graph.producers()

    def _pointer(self, tensor: str) -> str:
        region, _ = self.plan.address(tensor)
        return f"&{self.members[region]}[{self.macros[self._owner(tensor)]}]"

    def _ports(self, ports: Sequence[Port], word: str) -> tuple[BundlePort, ...]:
        idents = unique([port.name for port in ports])
        found = []
        for port in ports:
            kind = self.graph.tensor(port.tensor).type
            suffix = f"_{idents[port.name]}" if len(ports) > 1 else ""
            region, offset = self.plan.address(port.tensor)
            ctype = "uint8_t" if kind.dtype is DType.UINT8 else "int8_t"
            found.append(
                BundlePort(
                    port.name,
                    f"{self.name}_{word}{suffix}",
                    ctype,
                    kind.nbytes,
                    kind.shape if self._moved(port) else port.shape,
                    kind.q.s,
                    kind.q.z,
                    self.members[region],
                    offset,
                )
            )
        return tuple(found)

    def _moved(self, port: Port) -> bool:
        """Whether the C boundary has another order of axes than the model."""
        origin = self.graph.tensor(port.tensor).origin
        return origin is not None and origin.layout != tuple(range(len(port.shape)))

    # -- header -----------------------------------------------------------------------

    def _header(self) -> dict[str, str]:
        return {
            "arena_macros": arena_macros(self.name, self.arenas),
            "port_macros": "\n".join(_port_macros(p) for p in (*self.inputs, *self.outputs)),
            "arena_types": arena_types(self.name, self.arenas),
            "ctx_members": "\n".join(f"    {self.name}_{r}_t *{r};" for r, _ in self.regions),
            "accessors": "\n".join(self._declared(p) for p in (*self.inputs, *self.outputs)),
            "helpers": "\n".join(self._helper(p) for p in (*self.inputs, *self.outputs)) + "\n",
            "inputs_s": "s" if len(self.inputs) > 1 else "",
            "outputs_s": "s" if len(self.outputs) > 1 else "",
            "overwritten": self._overwritten(),
        }

    def _declared(self, port: BundlePort) -> str:
        is_input = port in self.inputs
        macro = port.accessor.upper()
        text = (
            f"Write {macro}_BYTES bytes of input here before\n * {self.name}_invoke()."
            if is_input
            else f"Read {macro}_BYTES bytes of output here after\n * {self.name}_invoke()."
        )
        const = "" if is_input else "const "
        head = f"{const}{port.ctype} *{port.accessor}(const {self.name}_ctx_t *ctx);"
        return f"/**\n * {text} NULL if ctx is not usable.\n */\n{head}\n"

    def _helper(self, port: BundlePort) -> str:
        """Conversion between real values and the integers of a port."""
        macro = port.accessor.upper()
        if port in self.inputs:
            low, high = (0, 255) if port.ctype == "uint8_t" else (-128, 127)
            return (
                f"/** Integer for a real value of the input, as the model quantizes it. */\n"
                f"static inline {port.ctype} {port.accessor}_quantize(float real)\n{{\n"
                f"    return ({port.ctype})mplan_quantize(real, {macro}_SCALE, {macro}_ZERO_POINT,"
                f" {low}, {high});\n}}\n"
            )
        return (
            f"/** Real value of an integer of the output. */\n"
            f"static inline float {port.accessor}_real({port.ctype} q)\n{{\n"
            f"    const int32_t steps = (int32_t)q - {macro}_ZERO_POINT;\n\n"
            f"    return {macro}_SCALE * (float)steps;\n}}\n"
        )

    def _overwritten(self) -> str:
        """Whether the bytes of an input serve another purpose during a call."""
        mine = {self.plan.allocation.slots[p.tensor].buffer for p in self.graph.inputs}
        spans = []
        for region, memory in self.plan.memory.items():
            for placement in memory.placements:
                end = placement.offset + placement.buffer.nbytes
                spans.append((placement.buffer.name, region, placement.offset, end))
        inputs = [span for span in spans if span[0] in mine]
        shared = any(
            a[0] != b[0] and a[1] == b[1] and a[2] < b[3] and b[2] < a[3]
            for a in inputs
            for b in spans
        )
        owners = [self.plan.allocation.slots[n].buffer for n in self._owners()]
        aliased = any(owners.count(buffer) > 1 for buffer in mine)
        if shared or aliased:
            return "is overwritten: write it anew before every call"
        return "is kept: it may be used again in the next call"

    # -- source -----------------------------------------------------------------------

    def _source(self) -> dict[str, str]:
        members = [f"(ctx->{member} == NULL)" for member, _ in self.regions]
        modulo = [f"(((uintptr_t)ctx->{m} % {ARENA_ALIGN}U) != 0U)" for m, _ in self.regions]
        local = "        int8_t *const {0} = ctx->{0}->bytes;"
        steps = "".join(self._step(step) for step in self.steps).rstrip("\n")
        headers = sorted({step.kernel.function for step in self.steps})
        return {
            "arena_table": self._arena_table(),
            "includes": "".join(f'#include "{stem}.h"\n' for stem in headers),
            "offsets": self._offsets(),
            "constants": "\n".join(
                f"/* {self._title(step)} */\n{constants.text}"
                for step, constants in zip(self.steps, self.constants, strict=True)
            ),
            "null_test": " || ".join(["(ctx == NULL)", *members]),
            "align_test": " || ".join(modulo),
            "accessors": "\n".join(self._accessor(p) for p in (*self.inputs, *self.outputs)),
            "locals": "\n".join(local.format(m) for m, _ in self.regions if f"&{m}[" in steps),
            "steps": steps,
        }

    def _arena_table(self) -> str:
        lines = []
        usable = {r.name: r.usable_bytes for r in self.plan.program.target.ram}
        for region, memory in self.plan.memory.items():
            lines.append(f' * Arena "{region}": {memory.arena_bytes} of {usable[region]} B.')
            lines.append(" *   offset   bytes  live        tensor")
            for name in self.macros:
                buffer = self._buffer(name)
                where, offset = self.plan.place(buffer)
                if where != region:
                    continue
                live = next(p.buffer.live for p in memory.placements if p.buffer.name == buffer)
                nbytes = next(p.buffer.nbytes for p in memory.placements if p.buffer.name == buffer)
                span = f"[{live.start}, {live.end})"
                lines.append(f" * {offset:8d} {nbytes:7d}  {span:<10}  {comment_text(name)}")
        return "\n".join(lines)

    def _buffer(self, name: str) -> str:
        slot = self.plan.allocation.slots.get(name)
        return slot.buffer if slot is not None else name

    def _offsets(self) -> str:
        lines = []
        for name, macro in self.macros.items():
            in_slots = name in self.plan.allocation.slots
            offset = self.plan.address(name)[1] if in_slots else self.plan.place(name)[1]
            lines.append(f"#define {macro} ({offset}U)")
        return "\n".join(lines) + "\n"

    def _title(self, step: Step) -> str:
        shape_in = step.signature.inputs[0].shape
        name = comment_text(self.graph.node_name(step.node))
        label = comment_text(step.node.op.label)
        shapes = f"{_shape(shape_in)} -> {_shape(step.signature.output.shape)}"
        return f'step {step.index}: {label} "{name}" {shapes}'

    def _accessor(self, port: BundlePort) -> str:
        is_input = port in self.inputs
        const = "" if is_input else "const "
        tensors = self.graph.inputs if is_input else self.graph.outputs
        ports = self.inputs if is_input else self.outputs
        tensor = tensors[ports.index(port)].tensor
        macro = self.macros[self._owner(tensor)]
        place = f"&ctx->{port.region}->bytes[{macro}]"
        if port.ctype != "int8_t":
            place = f"({const}{port.ctype} *){place}"
        return (
            f"{const}{port.ctype} *{port.accessor}(const {self.name}_ctx_t *ctx)\n{{\n"
            f"    return (check(ctx) == MPLAN_OK) ? {place} : NULL;\n}}\n"
        )

    def _step(self, step: Step) -> str:
        constants = self.constants[step.index]
        lines = [f"        /* {self._title(step)} */"]
        for made, params in zip(step.calls, constants.params, strict=True):
            arguments = [f"&{params}"]
            for index in made.inputs:
                arguments.append(
                    constants.operands.get(index) or self._pointer(step.node.inputs[index])
                )
            arguments.append(self._pointer(step.node.output))
            falls = step.index in self.plan.descending
            rows = f"{step.signature.output.rows}U"
            arguments += ["y - 1U", "y"] if falls else ["0U", rows]
            if step.scratch_bytes:
                scratch = self.plan.allocation.scratch[step.index]
                region, _ = self.plan.place(scratch)
                arguments.append(f"&{self.members[region]}[{self.macros[scratch]}]")
            function = made.function or step.kernel.function
            if falls:
                lines.append(f"        for (size_t y = {rows}; y > 0U; y--) {{")
            lines.append(call(function, arguments, 12 if falls else 8))
            if falls:
                lines.append("        }")
        lines.append(f"        MPLAN_STEP_HOOK({step.index}, ctx);\n\n")
        return "\n".join(lines)


def _shape(shape: Sequence[int]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


def _port_macros(port: BundlePort) -> str:
    stem = port.accessor.upper()
    note = f"{port.ctype.removesuffix('_t')} {_shape(port.shape)} row-major"
    lines = [
        f'#define {stem}_BYTES ({port.nbytes}U) /* {note}, "{comment_text(port.name)}" */',
        f"#define {stem}_RANK ({len(port.shape)}U)",
    ]
    lines += [f"#define {stem}_DIM{i} ({n}U)" for i, n in enumerate(port.shape)]
    lines += [
        f"#define {stem}_SCALE ({float_literal(port.scale)}) /* real = scale * (q - zero_point) */",
        f"#define {stem}_ZERO_POINT ({port.zero_point})",
    ]
    return "\n".join(lines) + "\n"


def _library(kernels: Iterable[Kernel]) -> dict[PurePosixPath, str]:
    """The kernels that are called, with their headers, verbatim."""
    root = codegen_dir()
    files = {PurePosixPath("mplan/mplan.h"): _text(root / "include" / "mplan.h")}
    for kernel in sorted(kernels, key=lambda k: k.function):
        stem = kernel.function
        files[PurePosixPath(f"mplan/{stem}.h")] = _text(root / "include" / f"{stem}.h")
        source = root / "kernels" / kernel.backend / f"{stem}.c"
        files[PurePosixPath(f"mplan/{stem}.c")] = _text(source)
    return files


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii")


def _fill(template: str, values: Mapping[str, str]) -> str:
    text = Template(_text(codegen_dir() / "templates" / template))
    return text.substitute(values)
