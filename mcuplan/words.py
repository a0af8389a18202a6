# SPDX-License-Identifier: Apache-2.0
"""The words for what stages found out: every fact and proof, in a report's language."""

from __future__ import annotations

from collections.abc import Mapping

from mcuplan.facts import (
    ArraysIgnored,
    BatchOfOne,
    EndsAt,
    IntegerWeights,
    LeftOut,
    Note,
    NotFinite,
    OpsetAssumed,
    OutOfOrder,
    ReadAsFloat,
    ReadAsInt8,
    Rewrite,
    Rewritten,
    SamplesCut,
)
from mcuplan.safe_text import shown

__all__ = ["RANDOM_RANGES", "note"]

RANDOM_RANGES = "ranges come from random inputs: the result is not for use"

_REWRITES: Mapping[Rewrite, tuple[str, str]] = {  # the pass, and what it counts
    Rewrite.MOVEMENT_DROPPED: ("drop_dead", "data movements without effect removed"),
    Rewrite.UNREAD_DROPPED: ("drop_dead", "nodes removed that nobody reads"),
    Rewrite.TRANSPOSE_SUNK: ("sink_transposes", "transposes moved behind element-wise nodes"),
    Rewrite.FLATTEN_FOLDED: ("fold_flatten", "transposes folded into dense weights"),
    Rewrite.AFFINE_MERGED: ("merge_affine", "affine steps merged with the one before"),
    Rewrite.AFFINE_FOLDED: (
        "fold_batch_norm",
        "per-channel steps folded into convolutions and dense layers",
    ),
    Rewrite.ACTIVATION_FUSED: ("fuse_activation", "activations fused as limits"),
    Rewrite.ROUNDING_FOLDED: ("fold_quantize", "roundings folded into the node before"),
    Rewrite.GATE_FUSED: ("fuse_gate", "products with a function of one factor fused"),
    Rewrite.LOOKUP_FUSED: ("fuse_lookups", "functions joined into one table"),
    Rewrite.PADDING_FOLDED: ("fold_pad", "paddings folded into the windows behind them"),
    Rewrite.AFFINE_TO_TABLE: ("lower_affine", "affine steps made tables"),
    Rewrite.AFFINE_TO_LAYER: ("lower_affine", "affine steps made 1x1 convolutions"),
    Rewrite.LOOKUP_JOINED: ("join_lookups", "functions of one tensor joined"),
    Rewrite.BORDER_REGRIDDED: ("pad_grids", "borders put on a grid of their own"),
}


def note(fact: Note) -> str:
    """One line about a model."""
    match fact:
        case Rewritten(what, count):
            name, done = _REWRITES[what]
            return f"{name}: {count} {done}"
        case EndsAt(tensors, nodes):
            return f"ends at {', '.join(map(shown, tensors))}: {nodes} nodes behind are left out"
        case LeftOut(nodes):
            return f"{nodes} nodes that no output depends on are left out"
        case IntegerWeights():
            return "weights are stored as integers, activations are float"
        case OpsetAssumed(domain):
            return f"no opset version for domain {domain}; taken as 1"
        case OutOfOrder():
            return "nodes are not in the order that ONNX asks for; read in one that is"
        case ReadAsFloat(name, dtype):
            return f"{dtype} input {shown(name)} is read as float32"
        case ReadAsInt8(name, dtype):
            return (
                f"{dtype} input {shown(name)} is int8 in C, with scale and zero point of its range"
            )
        case BatchOfOne(dimension, name):
            return f"batch {shown(dimension)} of input {shown(name)} is taken as 1"
        case NotFinite(name, operator):
            return f"constant {shown(name)} becomes infinite or NaN in {operator}"
        case ArraysIgnored(file, arrays):
            return f"{file}: arrays ignored: {', '.join(arrays)}"
        case SamplesCut(name, seen, stated):
            return f"input {name!r}: samples of {_range(seen)} cut to {_range(stated)}"


def _range(ends: tuple[float, float]) -> str:
    return f"{ends[0]:g} to {ends[1]:g}"
