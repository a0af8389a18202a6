# SPDX-License-Identifier: Apache-2.0
"""Decision trees as tables, and how the attributes of ONNX's TreeEnsemble operators become them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedOp

__all__ = ["LEAF", "MOST_TARGETS", "Forest", "Split", "forest_of"]

LEAF = -1
_MOST = 0xFFFF  # nodes, leaves and votes: indices of 16 bits
_MOST_FEATURES = 0x7FFF
MOST_TARGETS = _MOST
_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "LEAF")


@dataclass(frozen=True, slots=True)
class Forest:
    """Nodes of all trees in one row, each tree in preorder.

    A sample goes from node i to the next one where ``features[i]`` of it is at most
    ``thresholds[i]`` (or is no number and ``nan_first[i]``), else ``jumps[i]`` nodes ahead.
    ``features[i]`` is `LEAF` at leaf number ``jumps[i]``, whose votes are ``votes[leaf]`` up to
    ``votes[leaf + 1]``: each adds ``weights[vote]`` to the target ``targets[vote]``.
    """

    features: tuple[int, ...]
    thresholds: tuple[float, ...]  # float32
    jumps: tuple[int, ...]
    nan_first: tuple[bool, ...]
    roots: tuple[int, ...]
    votes: tuple[int, ...]
    targets: tuple[int, ...]
    weights: tuple[float, ...]
    base: tuple[float, ...]  # of each target

    @property
    def depth(self) -> int:
        """Comparisons of one sample, at most, in all trees."""
        below = [0] * len(self.features)
        for i in reversed(range(len(below))):
            if self.features[i] != LEAF:
                below[i] = 1 + max(below[i + 1], below[i + self.jumps[i]])
        return sum(below[root] for root in self.roots)

    @property
    def mean_path(self) -> tuple[float, float]:
        """Comparisons and votes of one sample, summed over trees of equally likely leaves."""
        depths = [0] * len(self.features)
        passed = voted = 0.0
        for root, end in zip(self.roots, (*self.roots[1:], len(self.features)), strict=True):
            leaves = []
            for i in range(root, end):
                if self.features[i] == LEAF:
                    leaves.append(i)
                else:
                    depths[i + 1] = depths[i + self.jumps[i]] = depths[i] + 1
            passed += sum(depths[i] for i in leaves) / len(leaves)
            held = (self.votes[self.jumps[i] + 1] - self.votes[self.jumps[i]] for i in leaves)
            voted += sum(held) / len(leaves)
        return passed, voted

    @property
    def most_votes(self) -> int:
        """Votes for one target of one sample, at most."""
        ends = (*self.roots[1:], len(self.features))
        most = 0
        for root, end in zip(self.roots, ends, strict=True):
            leaves = [self.jumps[i] for i in range(root, end) if self.features[i] == LEAF]
            spans = [self.targets[self.votes[k] : self.votes[k + 1]] for k in leaves]
            most += max((max(Counter(span).values(), default=0) for span in spans), default=0)
        return most


@dataclass(frozen=True, slots=True)
class Split:
    """One node of a model file: ``mode`` compares a feature with a value."""

    mode: str
    feature: int
    value: float
    true: int  # position of a node of the same tree
    false: int
    missing_is_true: bool


@dataclass(slots=True)
class _Rows:
    """A forest while its trees are laid out."""

    features: list[int] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    jumps: list[int] = field(default_factory=list)
    nan_first: list[bool] = field(default_factory=list)
    votes: list[int] = field(default_factory=lambda: [0])
    targets: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def split(self, feature: int, limit: float, *, nan_first: bool) -> int:
        """A comparison; its jump is set when what follows is known."""
        if len(self.features) >= _MOST:
            raise UnsupportedOp(f"more than {_MOST:,} nodes of trees", hint="train smaller trees")
        self.features.append(feature)
        self.thresholds.append(limit)
        self.jumps.append(0)
        self.nan_first.append(nan_first)
        return len(self.features) - 1

    def leaf(self, votes: Sequence[tuple[int, float]]) -> None:
        """What a leaf says."""
        at = self.split(LEAF, 0.0, nan_first=False)
        self.jumps[at] = len(self.votes) - 1
        self.targets += [target for target, _ in votes]
        self.weights += [weight for _, weight in votes]
        self.votes.append(len(self.targets))
        if len(self.targets) > _MOST:
            raise UnsupportedOp(f"more than {_MOST:,} votes of trees", hint="train smaller trees")


def forest_of(
    trees: Sequence[Sequence[Split]],
    votes: Mapping[tuple[int, int], Sequence[tuple[int, float]]],
    base: Sequence[float],
    features: int,
) -> Forest:
    """Trees laid out.

    Args:
        trees: nodes of each tree, the root first.
        votes: of (tree, position of a leaf): targets and weights.
        base: of each target.
        features: how many a sample has.

    Raises:
        DamagedModel: a node, a feature or a target does not exist, or a tree is none.
        UnsupportedOp: too many nodes, votes or features, or an unknown comparison.
    """
    if features > _MOST_FEATURES:
        raise UnsupportedOp(f"{features:,} features, {_MOST_FEATURES:,} at most")
    if any(not 0 <= target < len(base) for said in votes.values() for target, _ in said):
        raise DamagedModel("a leaf votes for a target that the trees do not have")
    said_by: dict[int, dict[int, Sequence[tuple[int, float]]]] = defaultdict(dict)
    for (number, leaf), said in votes.items():
        said_by[number][leaf] = said
    rows, roots = _Rows(), []
    for number, tree in enumerate(trees):
        roots.append(len(rows.features))
        _lay_out(tree, said_by[number], features, rows)
    return Forest(
        tuple(rows.features),
        tuple(rows.thresholds),
        tuple(rows.jumps),
        tuple(rows.nan_first),
        tuple(roots),
        tuple(rows.votes),
        tuple(rows.targets),
        tuple(rows.weights),
        tuple(base),
    )


def _lay_out(
    tree: Sequence[Split],
    votes: Mapping[int, Sequence[tuple[int, float]]],
    features: int,
    rows: _Rows,
) -> None:
    """One tree in preorder; ``pending`` are nodes with the jumps that lead to them."""
    seen: set[int] = set()
    pending: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    while pending:
        at, origins = pending.pop()
        if not 0 <= at < len(tree) or at in seen:
            raise DamagedModel("a tree with a node that is missing or reached twice")
        seen.add(at)
        for origin in origins:
            rows.jumps[origin] = len(rows.features) - origin
        node = tree[at]
        if node.mode == "LEAF":
            rows.leaf(votes.get(at, ()))
            continue
        if node.mode not in _MODES:
            raise UnsupportedOp(f"trees that branch by {node.mode}", hint="retrain the trees")
        if not 0 <= node.feature < features:
            raise DamagedModel(f"a tree asks for feature {node.feature} of {features}")
        pending += _compared(node, rows)


def _compared(node: Split, rows: _Rows) -> list[tuple[int, tuple[int, ...]]]:
    """A node's comparison as ones with "at most": what follows last to first."""
    value, missing = node.value, node.missing_is_true
    true, false = node.true, node.false
    if node.mode in ("BRANCH_GTE", "BRANCH_GT", "BRANCH_NEQ"):
        true, false, missing = false, true, not missing
    limit = _at_most(value)
    below = float(np.nextafter(np.float32(limit), np.float32(-np.inf)))
    if node.mode in ("BRANCH_LT", "BRANCH_GTE"):
        limit = below if limit == value else limit
    if node.mode not in ("BRANCH_EQ", "BRANCH_NEQ"):
        at = rows.split(node.feature, limit, nan_first=missing)
        return [(false, (at,)), (true, ())]
    above = rows.split(node.feature, limit, nan_first=missing)
    under = rows.split(node.feature, below if limit == value else limit, nan_first=not missing)
    return [(true, (under,)), (false, (above,))]


def _at_most(value: float) -> float:
    """The largest float32 that is at most a number."""
    near = np.float32(value)
    return float(near if near <= value else np.nextafter(near, np.float32(-np.inf)))
