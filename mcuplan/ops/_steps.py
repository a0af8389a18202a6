# SPDX-License-Identifier: Apache-2.0
"""Operators that are read as several others, in the words of ONNX."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mcuplan.ir.builder import Attribute, Builder, Constant, OnnxNode
from mcuplan.ops import all_readers
from mcuplan.ops._read import inner

__all__ = ["Steps"]

_OPSET = 17  # whose attributes the steps have


@dataclass(frozen=True, slots=True)
class Steps:
    """What is made on the way to the outputs of a node."""

    node: OnnxNode
    build: Builder

    def add(self, op_type: str, *inputs: str | float, to: str = "", **attributes: Attribute) -> str:
        """One step; a number is a constant. Returns the name of its result, by default fresh."""
        k = 0
        while self.build.known(inner(self.node, f"step{k}").outputs[0]):
            k += 1
        made = to or inner(self.node, f"step{k}").outputs[0]
        names = tuple(self._name(value, f"{made}\0{i}") for i, value in enumerate(inputs))
        step = inner(self.node, f"step{k}")
        step = replace(step, op_type=op_type, domain="", opset=_OPSET, inputs=names)
        all_readers()[op_type](replace(step, outputs=(made,), attributes=attributes), self.build)
        return made

    def _name(self, value: str | float, name: str) -> str:
        if isinstance(value, str):
            return value
        self.build.constants[name] = Constant(np.array(value, np.float32))
        return name
