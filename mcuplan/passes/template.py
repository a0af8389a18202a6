# SPDX-License-Identifier: Apache-2.0
"""A model as a template for others that are to be trained: other widths, sizes, layers.

Weights of the result are placeholders: those of the model, cut or repeated. What it takes on a
device does not depend on their values, what it answers does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mcuplan.errors import McuplanError, UsageError
from mcuplan.ir.graph import Graph
from mcuplan.passes._resized import image_of, resized
from mcuplan.passes._separated import separable, separated
from mcuplan.passes._widened import widened

__all__ = ["AS_IT_IS", "Template", "image_size", "parse_change", "separable_layers", "templated"]

_LARGEST = 1 << 16
_WIDEST = 16.0


@dataclass(frozen=True, slots=True)
class Template:
    """What is changed of a model's form.

    Attributes:
        width: factor of the channels between inputs and outputs.
        size: rows and columns of the image that the model takes; None: as they are.
        separable: layers, by name, that become a depthwise convolution and one of 1x1.
    """

    width: float = 1.0
    size: tuple[int, int] | None = None
    separable: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[str, ...]:
        """As the command line has them."""
        found = [f"separable={name}" for name in self.separable]
        found += [f"width={self.width:g}"] if self.width != 1.0 else []
        if self.size is not None:
            rows, columns = self.size
            found.append(f"input={rows}" if rows == columns else f"input={rows}x{columns}")
        return tuple(found)

    @classmethod
    def of(cls, changes: Sequence[tuple[str, str]]) -> Template:
        """What changes from the command line ask for.

        Raises:
            UsageError: two widths, or two sizes.
        """
        found: dict[str, str] = {}
        for key, value in changes:
            if key != "separable" and found.setdefault(key, value) != value:
                raise UsageError(f"two values for {key}", "--reshape", "one of them")
        names = tuple(dict.fromkeys(value for key, value in changes if key == "separable"))
        size = _size(found["input"]) if "input" in found else None
        return cls(float(found.get("width", 1.0)), size, names)


AS_IT_IS = Template()
"""Nothing is changed."""


def parse_change(text: str) -> tuple[str, str]:
    """One change of a template: width=FACTOR, input=ROWS[xCOLUMNS] or separable=LAYER.

    Raises:
        ValueError: it is none.
    """
    key, _, value = text.partition("=")
    if key == "width" and _is_width(value):
        return key, value
    if key == "input" and _size(value) is not None:
        return key, value
    if key == "separable" and value:
        return key, value
    raise ValueError(f"{text[:60]!r}: write width=0.5, input=96, input=96x64 or separable=LAYER")


def _is_width(text: str) -> bool:
    try:
        return 0.0 < float(text) <= _WIDEST
    except ValueError:
        return False


def _size(text: str) -> tuple[int, int] | None:
    """Rows and columns; one number is both."""
    parts = text.split("x")
    if len(parts) > 2 or not all(p.isascii() and p.isdigit() and len(p) < 6 for p in parts):
        return None
    rows, columns = int(parts[0]), int(parts[-1])
    return (rows, columns) if min(rows, columns) > 0 and max(rows, columns) <= _LARGEST else None


def templated(graph: Graph, template: Template) -> Graph:
    """The float graph of a model that is like another one.

    Channels that are tied to one another (operands of an Add, depthwise filters, parts of a
    Concat) keep to one another; what is not understood stays as wide as it is. Inputs and outputs
    keep their channels.

    Args:
        graph: float, after the passes.
        template: what is changed.

    Raises:
        UsageError: the model has nothing that a change could be made of, or a layer that
            does not follow.
    """
    if template == AS_IT_IS:
        return graph
    for name in template.separable:
        graph = separated(graph, name)
    if template.width != 1.0:
        graph = widened(graph, template.width)
    if template.size is not None:
        graph = resized(graph, template.size)
    _check_shapes(graph)
    graph.check()
    return graph


def _check_shapes(graph: Graph) -> None:
    """Raise where an operator says something of a shape that is another one now."""
    for node in graph.nodes:
        try:
            kinds = node.op.infer([graph.tensor(name).type for name in node.inputs])
        except (McuplanError, AssertionError, IndexError, ValueError):
            kinds = ()
        shapes = [kind.shape for kind in kinds]
        if shapes != [graph.tensor(name).type.shape for name in node.outputs]:
            what = "its meaning depends on the form that was changed"
            raise UsageError(f"--reshape: {what}", graph.node_name(node), "leave it out")


def image_size(graph: Graph) -> tuple[int, int, int] | None:
    """Rows and columns of the image that a model takes, and of how many pixels one is made.

    The last: the stride from the image to its smallest map; sizes that are a multiple of it have
    maps of the same proportions.
    """
    image = image_of(graph)
    if image is None:
        return None
    rows = max(image.rows, 1)
    found = [1]
    for node in graph.nodes:
        shape = graph.tensor(node.output).type.shape
        if len(shape) == 4 and 1 < shape[1] <= rows:
            found.append(math.ceil(rows / shape[1]))
    return image.rows, image.columns, max(found)


def separable_layers(graph: Graph) -> tuple[str, ...]:
    """Layers that `separated` may replace, by name, those with most weights first."""
    nodes = sorted(
        (node for node in graph.nodes if separable(graph, node)),
        key=lambda node: -graph.tensor(node.inputs[1]).type.elements,
    )
    names = [graph.node_name(node) for node in nodes]
    return tuple(name for name in names if names.count(name) == 1)
