# SPDX-License-Identifier: Apache-2.0
"""Trees and bodies of loops that have no end or do not fit, each with the code of its error."""

from __future__ import annotations

from typing import Any

import numpy as np
from hostile_models import X, Y, one_node
from onnx import helper
from onnx_files import model, node, value


def trees(count: int = 1, votes: int = 1, targets: int = 1, **attributes: Any) -> Any:
    """Trees of one leaf each."""
    nodes: dict[str, Any] = {f"nodes_{k}": [0] * count for k in ("nodeids", "featureids")}
    nodes |= {f"nodes_{k}": [0] * count for k in ("truenodeids", "falsenodeids")}
    said: dict[str, Any] = {"target_treeids": [t for t in range(count) for _ in range(votes)]}
    said["target_nodeids"] = [0] * (count * votes)
    said["target_ids"] = [v % max(1, targets) for _ in range(count) for v in range(votes)]
    given = {
        **nodes,
        **said,
        "nodes_treeids": list(range(count)),
        "nodes_values": [0.0] * count,
        "nodes_modes": ["LEAF"] * count,
        "target_weights": [1.0] * (count * votes),
        "n_targets": targets,
        **attributes,
    }
    made = [node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", **given)]
    return model(made, [X], [Y], extra=[helper.make_opsetid("ai.onnx.ml", 3)])


def _idle_turn() -> Any:
    """A body without nodes, which goes on."""
    given = [value("i", [], 7), value("on", [], 9), value("v", [1, 4])]
    return helper.make_graph([], "idle", given, given[1:])


def _turns_of_turns(count: int, depth: int) -> Any:
    """Loops in loops, none with other nodes."""
    body = _idle_turn()
    for _ in range(depth):
        inner = helper.make_node("Loop", ["m", "c", "v"], ["w"], body=body)
        given = [value("i", [], 7), value("on", [], 9), value("v", [1, 4])]
        body = helper.make_graph([inner], "turn", given, [given[1], value("w", [1, 4])])
    constants = {"m": np.array(count), "c": np.array(True)}
    return one_node("Loop", ["m", "c", "x"], constants=constants, body=body)


BODIES: dict[str, tuple[Any, str]] = {
    "a loop without an end that does nothing": (
        one_node(
            "Loop",
            ["m", "c", "x"],
            constants={"m": np.array(2**62), "c": np.array(True)},
            body=_idle_turn(),
        ),
        "model/too-large",
    ),
    "loops in loops": (_turns_of_turns(30, 3), "model/too-large"),
    "trees of more targets than fit": (trees(targets=1 << 40), "model/unsupported-op"),
    "trees of fewer targets than none": (trees(targets=-5), "model/unsupported-op"),
    "trees of too many base values": (trees(base_values=[1.0, 2.0]), "model/unsupported-op"),
    "a tree that is its own branch": (
        trees(nodes_modes=["BRANCH_LEQ"]),
        "model/damaged",
    ),
}
