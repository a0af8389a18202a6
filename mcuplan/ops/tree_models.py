# SPDX-License-Identifier: Apache-2.0
"""How TreeEnsembleRegressor and TreeEnsembleClassifier of ``ai.onnx.ml`` are read."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ops._classical import RETRAIN, Standard, add_classes, class_labels, end
from mcuplan.ops._forest import MOST_TARGETS, Split, forest_of
from mcuplan.ops._read import held_ending_with
from mcuplan.ops.trees import Trees

__all__ = ["READERS"]


def _forest(x: Standard, kind: str, targets: int, *, average: bool, column: bool) -> Trees:
    """Trees of the attributes ``nodes_*`` and of the votes ``<kind>_*``; all for one if asked."""
    if not 1 <= targets <= MOST_TARGETS:
        raise UnsupportedOp(f"{targets:,} targets, {MOST_TARGETS:,} at most", hint=RETRAIN)
    features = x.build.shape(x.matrix())[1]
    keys = ("treeids", "nodeids", "featureids", "truenodeids", "falsenodeids")
    ids = [x.whole(f"nodes_{key}") for key in keys]
    values, modes = x.floats("nodes_values"), x.texts("nodes_modes")
    values = values if values.size else x.floats("nodes_values_as_tensor")
    missing = x.floats("nodes_missing_value_tracks_true")
    missing = missing if missing.size else np.zeros(len(modes))
    if not modes or {len(a) for a in (*ids, values, missing)} != {len(modes)}:
        raise DamagedModel("lists of nodes of different lengths", hint="export again")
    numbers: dict[int, int] = {}
    places: dict[tuple[int, int], int] = {}
    members: dict[int, list[int]] = defaultdict(list)
    for i, (tree, at) in enumerate(zip(ids[0], ids[1], strict=True)):
        number = numbers.setdefault(int(tree), len(numbers))
        if places.setdefault((number, int(at)), len(members[number])) != len(members[number]):
            raise DamagedModel(f"two nodes {at} of tree {tree}", hint="export again")
        members[number].append(i)
    trees = [
        [
            Split(
                modes[i],
                int(ids[2][i]),
                float(values[i]),
                places.get((number, int(ids[3][i])), -1),
                places.get((number, int(ids[4][i])), -1),
                bool(missing[i]),
            )
            for i in members[number]
        ]
        for number in range(len(numbers))
    ]
    votes = _votes(x, kind, numbers, places, 1 / len(trees) if average else 1.0, column=column)
    return Trees(forest_of(trees, votes, _base(x, targets), features))


def _base(x: Standard, targets: int) -> tuple[float, ...]:
    """What each sum starts from."""
    base = x.floats("base_values")
    base = base if base.size else x.floats("base_values_as_tensor")
    if base.size not in (0, targets):
        raise UnsupportedOp(f"{base.size} base values of {targets} sums", hint=RETRAIN)
    return tuple(map(float, base)) if base.size else (0.0,) * targets


def _votes(
    x: Standard,
    kind: str,
    numbers: dict[int, int],
    places: dict[tuple[int, int], int],
    factor: float,
    *,
    column: bool,
) -> dict[tuple[int, int], list[tuple[int, float]]]:
    """Targets and weights of each leaf, by tree and position."""
    ids = [x.whole(f"{kind}_{key}") for key in ("treeids", "nodeids", "ids")]
    weights = x.floats(f"{kind}_weights")
    weights = weights if weights.size else x.floats(f"{kind}_weights_as_tensor")
    if {len(a) for a in ids} != {len(weights)}:
        raise DamagedModel("lists of votes of different lengths", hint="export again")
    votes: dict[tuple[int, int], list[tuple[int, float]]] = defaultdict(list)
    for tree, at, target, weight in zip(*ids, weights, strict=True):
        number = numbers.get(int(tree), -1)
        place = places.get((number, int(at)))
        if place is None:
            raise DamagedModel(f"a vote of node {at} of tree {tree}, which does not exist")
        votes[number, place].append((0 if column else int(target), float(weight) * factor))
    return votes


def _sums(x: Standard, op: Trees) -> str:
    """What the trees say: [samples, targets]."""
    samples = x.matrix()
    made = replace(x.node, outputs=(f"{next(filter(None, x.node.outputs))}:votes",))
    layout = held_ending_with(x.build, samples, 1) or (0, 1)
    x.build.add(op, [x.build.in_layout(samples, layout)], made, layout)
    return made.outputs[0]


def read_tree_regressor(node: OnnxNode, build: Builder) -> None:
    """Sums, or means, of votes."""
    x = Standard(node, build)
    how = node.get_str("aggregate_function", "SUM")
    if how not in ("SUM", "AVERAGE"):
        raise UnsupportedOp(f"aggregate_function={how}", hint=RETRAIN)
    targets = node.get_int("n_targets", 1)
    op = _forest(x, "target", targets, average=how == "AVERAGE", column=False)
    end(x, _sums(x, op), node.outputs[0])


def read_tree_classifier(node: OnnxNode, build: Builder) -> None:
    """A sum for each class; two classes of which the first gets all votes have one sum."""
    x = Standard(node, build)
    _, count = class_labels(x)
    single = count == 2 and not x.floats("class_ids").any()
    op = _forest(x, "class", 1 if single else count, average=False, column=single)
    positive = bool((x.floats("class_weights") >= 0).all())
    add_classes(x, _sums(x, op), 1 if single else count, zero=0.5 if single and positive else 0.0)


READERS = {
    "ai.onnx.ml::TreeEnsembleClassifier": read_tree_classifier,
    "ai.onnx.ml::TreeEnsembleRegressor": read_tree_regressor,
}
