# SPDX-License-Identifier: Apache-2.0
"""A graph as text, one line per node, for people who look at what a pass did."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from mcuplan.ir.graph import Graph, Node, Tensor
from mcuplan.ir.op import NO_CLAMP, Op
from mcuplan.ir.types import Quant

__all__ = ["dump"]

_PLAIN = re.compile(r"[A-Za-z0-9_./:;+-]+")


def dump(graph: Graph) -> str:
    """Inputs, nodes in order and outputs; every line ends with a newline."""
    return "".join(f"{line}\n" for line in _lines(graph))


def _lines(graph: Graph) -> Iterator[str]:
    for port in graph.inputs:
        yield f"input {_quoted(port.name)}: {_typed(graph.tensor(port.tensor))}"
    for node in graph.nodes:
        yield _node(graph, node)
    for port in graph.outputs:
        yield f"output {_quoted(port.name)}: {_typed(graph.tensor(port.tensor))}"


def _node(graph: Graph, node: Node) -> str:
    made = ", ".join(_typed(graph.tensor(name)) for name in node.outputs)
    read = ", ".join(_read(graph.tensor(name)) for name in node.inputs)
    origin = f"  # {_quoted(node.origin)}" if node.origin else ""
    return f"{made} = {_op(node.op)}({read}){origin}"


def _op(op: Op) -> str:
    """The operator with the attributes that differ from their defaults."""
    if not dataclasses.is_dataclass(op):
        return type(op).__name__
    shown = []
    for field in dataclasses.fields(op):
        value = getattr(op, field.name)
        if value != field.default and value != NO_CLAMP:
            shown.append(f"{field.name}={value}".replace(" ", ""))
    return type(op).__name__ + (f"[{' '.join(shown)}]" if shown else "")


def _typed(tensor: Tensor) -> str:
    return f"{_quoted(tensor.name)} {_type(tensor)}"


def _read(tensor: Tensor) -> str:
    if tensor.data is None:
        return _quoted(tensor.name)
    stored = f" stored {tensor.stored.values.dtype}" if tensor.stored is not None else ""
    return f"<{_type(tensor)}{stored}>"


def _type(tensor: Tensor) -> str:
    shape = ",".join(str(n) for n in tensor.type.shape)
    return f"{tensor.type.dtype.value}[{shape}]{_quant(tensor.type.quant)}"


def _quant(quant: Quant | None) -> str:
    if quant is None:
        return ""
    if quant.axis is None:
        return f" @{quant.s:.9g}{-quant.z:+d}"
    return f" @{len(quant.scale)} scales"


def _quoted(name: str) -> str:
    """A name from the model on one line of text, whatever it holds."""
    return name if _PLAIN.fullmatch(name) else ascii(name)
