# SPDX-License-Identifier: Apache-2.0
"""Decision trees: the sum of what the leaves say that a sample's features lead to.

Source: the ONNX operators TreeEnsembleRegressor and TreeEnsembleClassifier of ``ai.onnx.ml``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import ScaleError
from mcuplan.ir.geometry import InputMap, Shape, over_last
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, ConstArray, Cost, Example, Field, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops._forest import LEAF, Forest

__all__ = ["KERNELS", "LEAF", "OPS", "WRITERS", "Forest", "Trees"]

_SUM_REACH = 2.0**30  # of a sum of votes in int32, the zero point and half a step left
_NAN_FIRST = 0x8000  # in a node's feature: a value that is no number goes on to the next node
_LEAF = 0x7FFF  # the feature of a leaf


@dataclass(frozen=True, slots=True)
class Trees(Op):
    """``base`` and the votes of one leaf of every tree, summed for each target.

    A sample goes from a node to the next one where its feature is at most the threshold.
    """

    forest: Forest

    types = (Types(), Types.all(DType.FLOAT32))

    @property
    def label(self) -> str:
        """The ONNX name."""
        return "TreeEnsemble"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Features on the last axis become targets."""
        return (TensorType((*inputs[0].shape[:-1], len(self.forest.base))),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """All of the last axis."""
        return over_last(inputs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Sums in double precision."""
        votes = self._sums(_keys(arrays[0]), self._real_keys(), np.asarray(self.forest.weights))
        return ((votes + np.asarray(self.forest.base)).astype(np.float32),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """Sums in the order of the trees, then the base: as `mplan_trees_f32`."""
        weights = np.asarray(self.forest.weights, np.float32)
        votes = self._sums(_keys(arrays[0]), self._real_keys(), weights)
        return (votes + np.asarray(self.forest.base, np.float32),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Votes in fixed point, one rounding: as `mplan_trees_s8`."""
        weights, base, shift = self.fixed_point(sig)
        thresholds = self.integer_thresholds(sig)
        sums = self._sums(arrays[0].astype(np.int64), thresholds, weights.astype(np.int64)) + base
        return (sig.output.dtype.clip((sums + ((1 << shift) >> 1) >> shift) + sig.output.q.z),)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """A comparison for each level of each tree, at most, and a sum for each vote."""
        samples = outputs[0].elements // max(1, len(self.forest.base))
        return Cost(
            ops=samples * (self.forest.depth + self.forest.most_votes * len(self.forest.base))
        )

    def integer_thresholds(self, sig: Signature) -> Array:
        """The largest int8 value of the input that is at most each threshold: [nodes].

        One below the least where there is none.
        """
        source = sig.inputs[0].q
        codes = source.dtype.codes
        reals = ((codes - source.z).astype(np.float32) * np.float32(source.s)).astype(np.float32)
        limits = np.asarray(self.forest.thresholds, np.float32)
        found: Array = np.searchsorted(reals, limits, side="right") + source.dtype.low - 1
        return found

    def fixed_point(self, sig: Signature) -> tuple[Array, Array, int]:
        """Weights and base in int32, and how far their sum is shifted to steps of the output.

        Raises:
            ScaleError: the output scale is far too small for the votes.
        """
        step = sig.output.q.s
        weights = np.asarray(self.forest.weights, np.float64) / step
        base = np.asarray(self.forest.base, np.float64) / step
        reach = float(np.abs(weights).max(initial=0.0)) * self.forest.most_votes
        reach += float(np.abs(base).max(initial=0.0))
        if not reach < _SUM_REACH / 2:
            raise ScaleError(
                f"output scale {step:.3g} is far too small for its trees",
                hint="calibrate with representative data",
            )
        shift = min(24, 30 - max(0, math.frexp(reach)[1]))
        scaled = (np.floor(v * 2.0**shift + 0.5).astype(np.int32) for v in (weights, base))
        return next(scaled), next(scaled), shift

    def _real_keys(self) -> Array:
        return _keys(np.asarray(self.forest.thresholds, np.float32))

    def _sums(self, features: Array, thresholds: Array, weights: Array) -> Array:
        """Votes of all trees for the samples on all axes but the last, tree by tree."""
        forest = self.forest
        feature, jump = np.asarray(forest.features), np.asarray(forest.jumps)
        nan_first = np.asarray(forest.nan_first)
        flat = features.reshape(-1, features.shape[-1])
        missing = flat == _NAN if features.dtype == np.int64 else np.zeros(flat.shape, bool)
        sums = np.zeros((len(flat), len(forest.base)), weights.dtype)
        for root in forest.roots:
            at = np.full(len(flat), root)
            while (inner := np.flatnonzero(feature[at] != LEAF)).size:
                here = at[inner]
                value = flat[inner, feature[here]]
                first = (value <= thresholds[here]) & ~missing[inner, feature[here]]
                first |= missing[inner, feature[here]] & nan_first[here]
                at[inner] += np.where(first, 1, jump[here])
            for sample, leaf in enumerate(jump[at]):
                for vote in range(forest.votes[leaf], forest.votes[leaf + 1]):
                    sums[sample, forest.targets[vote]] += weights[vote]
        return sums.reshape(*features.shape[:-1], len(forest.base))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """A stump, a single leaf, trees of two targets, a target without votes."""
        stump = Forest(
            (0, LEAF, LEAF), (0.25, 0.0, 0.0), (2, 0, 1), (True, False, False), (0,),
            votes=(0, 1, 2), targets=(0, 0), weights=(1.0, -2.0), base=(0.5,),
        )  # fmt: skip
        leaf = Forest(
            (LEAF,), (0.0,), (0,), (False,), (0,),
            votes=(0, 2), targets=(0, 1), weights=(0.25, 0.75), base=(0.0, 0.0, 1.0),
        )  # fmt: skip
        pair = Forest(
            (2, 0, LEAF, LEAF, LEAF, 1, LEAF, LEAF), (-0.5, 1.0, 0, 0, 0, 0.0, 0, 0),
            (4, 2, 0, 1, 2, 2, 3, 4), (False, True, *(False,) * 6), (0, 5),
            votes=(0, 1, 2, 4, 4, 5), targets=(0, 1, 0, 1, 1),
            weights=(0.1, 0.2, -0.3, 0.4, 3.0), base=(0.0, -1.0),
        )  # fmt: skip
        for forest, shape in [(stump, (1, 1)), (leaf, (1, 2)), (pair, (1, 3)), (pair, (1, 4, 5))]:
            yield Example(cls(forest), (shape,))


_NAN = 0x7FC00000


def _keys(values: Array) -> Array:
    """Integers in the order of float32 values, int64; every value that is no number is one."""
    values = values.astype(np.float32)
    bits = values.view(np.int32).astype(np.int64)
    keys = np.where(bits < 0, -1 - (bits & 0x7FFFFFFF), bits)
    keys = np.where(values == 0, 0, keys)
    found: Array = np.where(np.isnan(values), _NAN, keys)
    return found


def write_trees(node: Node, out: Writer) -> None:
    """A TreeEnsembleRegressor over wherever our last axis lies, as samples of features."""
    op = node.op
    assert isinstance(op, Trees)
    forest = op.forest
    count = len(forest.features)
    sizes = np.diff((*forest.roots, count))
    tree = np.repeat(np.arange(len(forest.roots)), sizes)
    at = np.arange(count)
    is_leaf = np.asarray(forest.features) == LEAF
    jumps = np.asarray(forest.jumps)
    first = np.where(is_leaf, 0, at + 1)
    other = np.where(is_leaf, 0, at + jumps)
    leaf = np.repeat(at[is_leaf], np.diff(forest.votes)[jumps[is_leaf]])
    axes = out.plain(node.inputs[0])
    shape = out.shape(node.inputs[0])
    flat = out.constant("samples", np.array([-1, shape[-1]], np.int64))
    samples = out.node("Reshape", [out.read(node.inputs[0], axes), flat])
    votes = out.node(
        "ai.onnx.ml::TreeEnsembleRegressor",
        [samples],
        n_targets=len(forest.base),
        base_values=forest.base,
        nodes_treeids=_whole(tree),
        nodes_nodeids=_whole(at),
        nodes_featureids=_whole(np.where(is_leaf, 0, forest.features)),
        nodes_modes=tuple("LEAF" if end else "BRANCH_LEQ" for end in is_leaf),
        nodes_values=tuple(map(float, forest.thresholds)),
        nodes_truenodeids=_whole(first),
        nodes_falsenodeids=_whole(other),
        nodes_missing_value_tracks_true=_whole(np.asarray(forest.nan_first)),
        target_treeids=_whole(tree[leaf]),
        target_nodeids=_whole(leaf),
        target_ids=forest.targets,
        target_weights=forest.weights,
    )
    made = out.constant("shape", np.array(out.shape(node.output), np.int64))
    out.write(node.output, out.node("Reshape", [votes, made]))


def _whole(values: Array) -> tuple[int, ...]:
    return tuple(map(int, values))


# -- kernels ------------------------------------------------------------------------------


def _nodes(forest: Forest, thresholds: Array, dtype: DType) -> dict[str, Field]:
    """Tables of nodes, of leaves, and of the targets of votes."""
    feature, nan_first = np.asarray(forest.features), np.asarray(forest.nan_first)
    marked = np.where(feature == LEAF, _LEAF, feature) + np.where(nan_first, _NAN_FIRST, 0)
    return {
        "feature": ConstArray(DType.UINT16, marked.astype(np.uint16)),
        "threshold": ConstArray(dtype, thresholds.astype(dtype.numpy)),
        "jump": ConstArray(DType.UINT16, np.asarray(forest.jumps, np.uint16)),
        "vote": ConstArray(DType.UINT16, np.asarray(forest.votes, np.uint16)),
        "root": ConstArray(DType.UINT16, np.asarray(forest.roots, np.uint16)),
        "target": ConstArray(DType.UINT16, np.asarray(forest.targets, np.uint16)),
        "trees": len(forest.roots),
        "targets": len(forest.base),
    }


def _samples(sig: Signature) -> dict[str, Field]:
    features = sig.inputs[0].shape[-1]
    pixels = sig.inputs[0].elements // features // sig.inputs[0].rows
    return {"pixels": pixels, "features": features}


def _float(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Trees)
    keys = _keys(np.asarray(op.forest.thresholds, np.float32))
    fields = _nodes(op.forest, keys, DType.INT32) | _samples(sig)
    fields |= {
        "weight": ConstArray(DType.FLOAT32, np.asarray(op.forest.weights, np.float32)),
        "base": ConstArray(DType.FLOAT32, np.asarray(op.forest.base, np.float32)),
    }
    return (Call(fields),)


def _integer(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Trees)
    weights, base, shift = op.fixed_point(sig)
    fields = _nodes(op.forest, op.integer_thresholds(sig), DType.INT16) | _samples(sig)
    fields |= {
        "weight": ConstArray(DType.INT32, weights),
        "base": ConstArray(DType.INT32, base),
        "shift": shift,
        "out_zero_point": sig.output.q.z,
    }
    return (Call(fields),)


def _scratch(sig: Signature) -> int:
    return 4 * sig.output.shape[-1]


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Samples, their trees, and what a sample meets there on the mean."""
    op, output = sig.op, sig.output
    assert isinstance(op, Trees)
    samples = output.elements / max(1, len(op.forest.base))
    passed, voted = op.forest.mean_path
    return {
        "call": len(runs),
        "row": output.rows,
        "sample": samples,
        "tree": samples * len(op.forest.roots),
        "node": samples * passed,
        "vote": samples * voted,
        "target": output.elements,
    }


OPS = (Trees,)
KERNELS = (
    Kernel(Trees, "mplan_trees_s8", _integer, scratch_bytes=_scratch, work=_work),
    Kernel(Trees, "mplan_trees_f32", _float, types=Types.all(DType.FLOAT32), work=_work),
)
WRITERS = {Trees: write_trees}
