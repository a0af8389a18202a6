# SPDX-License-Identifier: Apache-2.0
"""Nodes of which ONNX Runtime is known to make something else than ONNX says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

__all__ = ["deviation"]

_POOLS = ("AveragePool", "LpPool", "MaxPool")


def deviation(proto: onnx.ModelProto) -> str:
    """What of a model the runtime takes otherwise; "" where nothing is known.

    It pads a pool with ``auto_pad`` as if there were no gaps, and lays the corners of a Resize
    by its whole size where ``scales`` ask for a fraction of an element more.
    """
    from onnx import helper

    for node in proto.graph.node:
        if node.op_type not in (*_POOLS, "Resize"):
            continue
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        what = f"{node.op_type} {node.name or node.output[0]}"
        same, gaps = given.get("auto_pad", b"").startswith(b"SAME"), given.get("dilations", [1])
        if node.op_type in _POOLS and same and max(gaps) > 1:
            return f"ONNX Runtime pads {what} for no dilations"
        if node.op_type == "Resize" and _is_fraction(proto, node, given):
            return f"ONNX Runtime takes the corners of {what} from a whole size"
    return ""


def _is_fraction(proto: onnx.ModelProto, node: onnx.NodeProto, given: dict[str, object]) -> bool:
    """Whether a Resize aligns corners of sizes that are no whole numbers."""
    from onnx import numpy_helper, shape_inference

    if given.get("coordinate_transformation_mode") != b"align_corners" or len(node.input) < 3:
        return False
    held = {t.name: t for t in proto.graph.initializer}
    held |= {n.output[0]: n.attribute[0].t for n in proto.graph.node if n.op_type == "Constant"}
    if node.input[2] not in held:
        return False
    scales = numpy_helper.to_array(held[node.input[2]]).astype(np.float64)
    graph = shape_inference.infer_shapes(proto).graph
    kinds = {value.name: value.type for value in (*graph.value_info, *graph.input)}
    if node.input[0] not in kinds:
        return False
    shape = [d.dim_value or 1 for d in kinds[node.input[0]].tensor_type.shape.dim]
    axes = given.get("axes") or range(len(shape))
    sizes = scales * np.array([shape[axis] for axis in axes])  # type: ignore[attr-defined]
    return bool(np.abs(sizes - np.rint(sizes)).max(initial=0.0) > 1e-3)
