# SPDX-License-Identifier: Apache-2.0
"""What every operator of a model means, in our words, and where ONNX defines what it comes from."""

from __future__ import annotations

import inspect
from typing import Any

from mcuplan.evidence.texts import table
from mcuplan.importer.listing import Listing
from mcuplan.ir.op import Op
from mcuplan.record import Planned
from mcuplan.schedule.program import Step

__all__ = ["semantics_record", "semantics_text"]

_WHAT = ("reference", "integer", "float32")


def semantics_record(planned: Planned, listing: Listing) -> Any:
    """Operators of the file, and those that steps of the plan run."""
    by_op: dict[type[Op], list[Step]] = {}
    for step in planned.plan.program.steps:
        by_op.setdefault(type(step.node.op), []).append(step)
    graph = planned.plan.program.graph
    return {
        "schema": "mcuplan.semantics/1",
        "onnx": [
            {
                "section": operator.section,
                "opset": operator.opset,
                "nodes": operator.nodes,
                "page": f"https://onnx.ai/onnx/operators/onnx__{operator.name}.html"
                if operator.since
                else "",
            }
            for operator in listing.operators
        ],
        "operators": [
            {
                "operator": op.__name__,
                "statement": _said(op),
                "meaning": {name: _said(getattr(op, name)) for name in _WHAT if _own(op, name)},
                "types": [str(kind) for kind in op.types],
                "quantization": str(op.quant_rule),
                "onnx": sorted(
                    {listing.kinds[s.node.origin] for s in steps if s.node.origin in listing.kinds}
                ),
                "kernels": sorted({step.kernel.function for step in steps}),
                "layers": [graph.node_name(step.node) for step in steps],
            }
            for op, steps in sorted(by_op.items(), key=lambda pair: pair[0].__name__)
        ],
    }


def _own(op: type[Op], name: str) -> bool:
    """Whether an operator defines that itself, and not only that nothing special is meant."""
    return getattr(op, name) is not getattr(Op, name)


def _said(what: Any) -> str:
    return inspect.cleandoc(what.__doc__ or "")


def semantics_text(record: Any) -> str:
    """The same for people."""
    parts = [
        "# What the operators mean\n",
        "`reference` is the meaning in real numbers, `integer` the meaning of the C code bit for "
        "bit; both are functions of mcuplan, and every run was compared with the latter. The "
        "arithmetic of all integers is one: `q = clamp(zero_point + ((acc * 2^pre * M + 2^31) >> "
        "32))`, rounding halves up.\n",
        "## Operators of the model file\n",
        table(
            ("section", "opset", "nodes", "definition"),
            [(o["section"], o["opset"], o["nodes"], o["page"]) for o in record["onnx"]],
        ),
        "## Operators of the generated code\n",
    ]
    for one in record["operators"]:
        said = "\n\n".join(f"*{name}*: {text}" for name, text in one["meaning"].items())
        parts += [
            f"### {one['operator']}\n",
            f"{one['statement']}\n\n{said}\n",
            f"ONNX: {', '.join(one['onnx']) or 'of several operators, or of a rewrite'}; "
            f"quantization: {one['quantization']}; kernels: {', '.join(one['kernels'])}; "
            f"{len(one['layers'])} layers.\n",
        ]
    return "\n".join(parts)
