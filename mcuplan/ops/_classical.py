# SPDX-License-Identifier: Apache-2.0
"""What readers of classical models (``ai.onnx.ml``) share: standard nodes in a node's place.

A label is the index of the best score, looked up in the labels where they are other numbers;
labels that are texts stay indices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedOp
from mcuplan.ir.builder import Attribute, Builder, Constant, OnnxNode
from mcuplan.ir.types import Array

__all__ = ["RETRAIN", "Standard", "add_classes", "class_labels", "end"]

RETRAIN = "retrain, or cut the model in front of it"
_OPSET = 17  # of the standard operators that nodes become


@dataclass(slots=True)
class Standard:
    """The standard nodes that one node becomes."""

    node: OnnxNode
    build: Builder
    _count: int = 0

    def op(
        self, op_type: str, inputs: Sequence[str], output: str = "", **attributes: Attribute
    ) -> str:
        """Read a standard node; returns what it makes."""
        from mcuplan.ops import all_readers

        made = replace(
            self.node,
            op_type=op_type,
            domain="",
            opset=_OPSET,
            inputs=tuple(inputs),
            outputs=(output or self._fresh(),),
            attributes=attributes,
        )
        reader = all_readers().get(op_type)
        if reader is None:
            raise UnsupportedOp(f"{self.node.op_type} needs {op_type}, which is not supported")
        reader(made, self.build)
        return made.outputs[0]

    def constant(self, values: Array) -> str:
        """A constant of the model."""
        name = self._fresh()
        self.build.constants[name] = Constant(values)
        return name

    def real(self, values: Array) -> str:
        """A constant in float32."""
        return self.constant(np.asarray(values, np.float32))

    def matrix(self, index: int = 0) -> str:
        """An input as [samples, features]."""
        name = self.node.input(index)
        shape = self.build.shape(name)
        if len(shape) == 2:
            return name
        if len(shape) != 1:
            raise UnsupportedOp(f"samples of shape {list(shape)}", hint="flatten them first")
        return self.op("Reshape", [name, self.constant(np.array([1, -1], np.int64))])

    def floats(self, key: str) -> Array:
        """A list of numbers, in double."""
        given = self.node.attributes.get(key, ())
        return np.asarray(given, np.float64).reshape(-1)

    def whole(self, key: str) -> Array:
        """A list of integers."""
        given = self.node.attributes.get(key, ())
        return np.asarray(given, np.int64).reshape(-1)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        given = self.node.attributes.get(key, ())
        return tuple(map(str, given)) if isinstance(given, tuple) else ()

    def _fresh(self) -> str:
        self._count += 1
        return f"{next(filter(None, self.node.outputs))}:{self._count}"


def end(x: Standard, scores: str, output: str) -> None:
    """Scores as the node's post_transform has them."""
    kind = x.node.get_str("post_transform", "NONE")
    ops = {"NONE": "Identity", "SOFTMAX": "Softmax", "LOGISTIC": "Sigmoid"}
    if kind not in ops:
        raise UnsupportedOp(f"post_transform={kind}", hint=RETRAIN)
    x.op(ops[kind], [scores], output)


def class_labels(x: Standard) -> tuple[Array | None, int]:
    """Labels of the classes that are numbers, None where they are texts; how many there are."""
    keys = ("classlabels_ints", "classlabels_int64s", "classlabels_strings")
    found = [x.node.attributes[key] for key in keys if key in x.node.attributes]
    if not found or not isinstance(found[0], tuple):
        raise DamagedModel("no labels of classes", hint="export again")
    texts = any(isinstance(label, str) for label in found[0])
    return (None if texts else np.asarray(found[0], np.int64)), len(found[0])


def _label(x: Standard, scores: str, labels: Array | None) -> None:
    """The label with the best score, where the model wants it."""
    if not x.node.outputs[0]:
        return
    if labels is None or np.array_equal(labels, np.arange(len(labels))):
        x.op("ArgMax", [scores], x.node.outputs[0], axis=-1, keepdims=0)
        return
    index = x.op("ArgMax", [scores], axis=-1, keepdims=0)
    x.op("Gather", [x.constant(labels), index], x.node.outputs[0], axis=0)


def add_classes(x: Standard, scores: str, columns: int, *, zero: float = 0.0) -> None:
    """Label and scores of a classifier; of two classes with one score the second is its own.

    ``zero`` is the score from which on it is the second one's.
    """
    labels, count = class_labels(x)
    wanted = x.node.outputs[1] if len(x.node.outputs) > 1 else ""
    if columns == count and count > 1:
        _label(x, scores, labels)
        if wanted:
            end(x, scores, wanted)
        return
    if (columns, count) != (1, 2):
        raise DamagedModel(f"{columns} scores for {count} classes", hint="export again")
    logistic = x.node.get_str("post_transform", "NONE") == "LOGISTIC"
    middle = x.op("Sub", [scores, x.real(np.array([[zero]]))]) if zero else scores
    both = x.op("Concat", [x.op("Neg", [middle]), middle], axis=1)
    _label(x, both, labels)
    if wanted and zero and not logistic:
        rest = x.op("Sub", [x.real(np.array([[1.0]])), scores])
        x.op("Concat", [rest, scores], wanted, axis=1)
    elif wanted:
        pair = x.op("Concat", [x.op("Neg", [scores]), scores], axis=1)
        x.op("Sigmoid" if logistic else "Identity", [pair], wanted)
