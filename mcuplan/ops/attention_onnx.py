# SPDX-License-Identifier: Apache-2.0
"""How attention is read where a model has it as one node, and rotary positions.

Without a mask it becomes Attention; with one, the products around a Softmax that it means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, Constant, OnnxNode
from mcuplan.ir.types import Array, DType
from mcuplan.ops._classical import Standard
from mcuplan.ops._read import inner
from mcuplan.ops.attention import Attention
from mcuplan.ops.masked_attention import MaskedAttention

__all__ = ["READERS"]

_HIDDEN = -1e9  # added where a key is not seen
_HEADS = (0, 2, 1, 3)  # of tokens in front of heads


@dataclass(frozen=True, slots=True)
class _Form:
    """One attention: names of queries, keys and values [B, heads, tokens, width], and the rest."""

    names: Sequence[str]
    scale: float
    causal: bool
    mask: str
    merged: bool  # the result is [B, tokens, heads * width]
    softcap: float = 0.0
    past: int = 0  # keys in front of that of the first query


def _refuse(node: OnnxNode, what: dict[str, bool]) -> None:
    """Raise for the first thing that is there and not supported."""
    for said, there in what.items():
        if there:
            raise UnsupportedOp(f"{node.op_type} with {said}")


def _heads(x: Standard, name: str, heads: int) -> str:
    """[B, tokens, heads * width] as [B, heads, tokens, width]."""
    shape = x.build.shape(name)
    if len(shape) != 3 or heads < 1 or shape[2] % heads:
        raise UnsupportedOp(f"{heads} heads in a tensor of shape {list(shape)}")
    sizes = x.constant(np.array([*shape[:2], heads, shape[2] // heads], np.int64))
    return x.op("Transpose", [x.op("Reshape", [name, sizes])], perm=_HEADS)


def _merge(x: Standard, name: str) -> None:
    """The node's output: heads side by side."""
    batch, heads, tokens, width = x.build.shape(name)
    sizes = x.constant(np.array([batch, tokens, heads * width], np.int64))
    turned = x.op("Transpose", [name], perm=_HEADS)
    x.op("Reshape", [turned, sizes], x.node.outputs[0])


def _add(x: Standard, form: _Form) -> None:
    """The attention itself."""
    node, build = x.node, x.build
    shapes = [build.shape(name) for name in form.names]
    alone = all(shape[0] == 1 for shape in shapes) and not form.mask and not form.softcap
    made = inner(node, "attention") if form.merged else node
    if alone and (not form.causal or shapes[0][2] + form.past == shapes[1][2]):
        tensors = [build.in_layout(name, _HEADS) for name in form.names]
        build.add(Attention(form.scale, form.causal), tensors, made, _HEADS)
    elif not _add_masked(x, form, made):
        _add_products(x, form, made.outputs[0])
    if form.merged:
        _merge(x, made.outputs[0])


def _add_masked(x: Standard, form: _Form, made: OnnxNode) -> bool:
    """One sample with a mask that has a place for each key, and nothing else."""
    build, shapes = x.build, [x.build.shape(name) for name in form.names]
    shape = build.shape(form.mask) if form.mask else ()
    if form.causal or form.softcap or shapes[0][0] != 1 or shape[-1:] != shapes[1][2:3]:
        return False
    tensors = [build.in_layout(name, _HEADS) for name in form.names]
    value = build.constant(form.mask)
    if value is not None:
        _constant_mask(x, form)
        hides = value.data.dtype != np.bool_ and bool((value.data[value.data != 0] < -1e4).all())
        value = Constant(value.data == 0) if hides else value
        mask = build.constant_in_layout(value, _HEADS, 4, form.mask)
    else:
        sizes = x.constant(np.array((1,) * (4 - len(shape)) + shape, np.int64))
        mask = build.in_layout(x.op("Reshape", [form.mask, sizes]), _HEADS)
    build.add(MaskedAttention(form.scale), [*tensors, mask], made, _HEADS)
    return True


def _add_products(x: Standard, form: _Form, output: str) -> None:
    """With a mask: products around a Softmax."""
    q, k, v = form.names
    shared = x.build.shape(q)[1] // x.build.shape(k)[1]
    if shared > 1:
        index = x.constant(np.repeat(np.arange(x.build.shape(k)[1]), shared))
        k, v = (x.op("Gather", [name, index], axis=1) for name in (k, v))
    scores = x.op("MatMul", [q, x.op("Transpose", [k], perm=(0, 1, 3, 2))])
    scores = x.op("Mul", [scores, x.real(np.array(form.scale))])
    if form.softcap:
        cap = x.real(np.array(form.softcap))
        scores = x.op("Mul", [x.op("Tanh", [x.op("Div", [scores, cap])]), cap])
    added = _constant_mask(x, form)
    if added is not None:
        scores = x.op("Add", [scores, x.real(added)])
    if form.mask and x.build.constant(form.mask) is None:
        mask = form.mask
        if x.build.dtype(mask) is DType.BOOL:
            mask = x.op("Where", [mask, x.real(np.array(0.0)), x.real(np.array(_HIDDEN))])
        scores = x.op("Add", [scores, mask])
    x.op("MatMul", [x.op("Softmax", [scores], axis=-1), v], output)


def _constant_mask(x: Standard, form: _Form) -> Array | None:
    """What is added to scores whatever the inputs are; None where nothing is.

    Raises:
        UnsupportedOp: a query sees no key, of which ONNX makes zeros.
    """
    n, m = (x.build.shape(name)[2] for name in form.names[:2])
    value = x.build.constant(form.mask)
    if value is None and not form.causal:
        return None
    added = np.zeros(1) if value is None else value.data
    added = np.where(added, 0.0, _HIDDEN) if added.dtype == np.bool_ else added
    seen = np.tri(n, m, form.past, dtype=bool) if form.causal else np.ones(1, bool)
    added = np.where(seen, np.maximum(added, _HIDDEN), _HIDDEN)
    if (added <= _HIDDEN).all(axis=-1).any():
        hint = "let each query see a key: what it makes of none is of no use"
        raise UnsupportedOp("a mask that hides all keys of a query", hint=hint)
    return added


def _with_past(x: Standard, index: int, name: str) -> str:
    """Keys (1) or values (2) behind those of earlier calls, which may be an output."""
    past, outputs = x.node.input(3 + index), x.node.outputs
    present = outputs[index] if len(outputs) > index else ""
    if past:
        return x.op("Concat", [past, name], *([present] if present else []), axis=2)
    return x.op("Identity", [name], present) if present else name


def read_attention(node: OnnxNode, build: Builder) -> None:
    """Attention of opset 23 on: queries, keys and values of rank 3 or 4, a mask."""
    _refuse(
        node,
        {
            "lengths of keys": bool(node.input(6)),
            "outputs of scores": any(node.outputs[3:]),
        },
    )
    x, names = Standard(node, build), list(node.inputs[:3])
    merged = len(build.shape(names[0])) == 3
    if merged:
        counts = [node.get_int(key, 0) for key in ("q_num_heads", "kv_num_heads", "kv_num_heads")]
        names = [_heads(x, name, n) for name, n in zip(names, counts, strict=True)]
    names = [names[0], *(_with_past(x, i, name) for i, name in enumerate(names[1:], 1))]
    scale = node.get_float("scale", 1 / math.sqrt(build.shape(names[0])[3]))
    causal, cap = bool(node.get_int("is_causal", 0)), node.get_float("softcap", 0.0)
    past = build.shape(node.input(4))[2] if node.input(4) else 0
    _add(x, _Form(names, scale, causal, node.input(3), merged, cap, past))


def _contrib(x: Standard, names: Sequence[str], kv_heads: str = "num_heads") -> None:
    """An attention of com.microsoft of queries, keys and values [B, tokens, heads * width]."""
    node = x.node
    keys = ("num_heads", kv_heads, kv_heads)
    parts = [_heads(x, n, node.get_int(key, 0)) for n, key in zip(names, keys, strict=True)]
    scale = node.get_float("scale", 0.0) or 1 / math.sqrt(x.build.shape(parts[0])[3])
    grouped = kv_heads != "num_heads"
    causal = grouped or bool(node.get_int("unidirectional", 0))
    _add(x, _Form(parts, scale, causal, "" if grouped else node.input(5), merged=True))


def read_multi_head(node: OnnxNode, build: Builder) -> None:
    """com.microsoft::MultiHeadAttention of queries, keys and values of rank 3, and their bias."""
    _refuse(
        node,
        {
            "packed queries": not (node.input(1) and node.input(2)),
            "a padding mask": bool(node.input(4)),
            "past keys": any(node.inputs[6:]),
            "outputs of keys, values or scores": any(node.outputs[1:]),
        },
    )
    x, names = Standard(node, build), list(node.inputs[:3])
    bias = build.constant(node.input(3))
    if node.input(3) and bias is None:
        raise UnsupportedOp("a computed bias", hint="freeze the weights")
    if bias is not None:
        ends = np.cumsum([build.shape(name)[-1] for name in names])[:-1]
        parts = np.split(bias.data.reshape(-1), ends)
        names = [x.op("Add", [n, x.real(p)]) for n, p in zip(names, parts, strict=True)]
    _contrib(x, names)


def read_grouped(node: OnnxNode, build: Builder) -> None:
    """com.microsoft::GroupQueryAttention of one whole sequence: nothing is kept of it."""
    lengths = build.constant(node.input(5))
    whole = lengths is None or int(lengths.data.reshape(-1)[0]) == build.shape(node.input(0))[1] - 1
    _refuse(
        node,
        {
            "packed queries": not (node.input(1) and node.input(2)),
            "past keys": bool(node.input(3) or node.input(4)),
            "sequences that are shorter": not whole,
            "lengths that are computed": bool(node.input(5)) and lengths is None,
            "rotary positions": bool(node.get_int("do_rotary", 0)),
            "softcap": node.get_float("softcap", 0.0) != 0.0,
            "a window": node.get_int("local_window_size", -1) != -1,
            "outputs of keys and values": any(node.outputs[1:]),
            "more inputs": any(node.inputs[9:]),
        },
    )
    _contrib(Standard(node, build), node.inputs[:3], "kv_num_heads")


def read_packed_weights(node: OnnxNode, build: Builder) -> None:
    """com.microsoft::Attention: one input, and weights of queries, keys and values in one."""
    _refuse(
        node,
        {
            "a padding mask": bool(node.input(3)),
            "past keys": bool(node.input(4)) or any(node.outputs[1:]),
            "rotary positions": bool(node.get_int("do_rotary", 0)),
        },
    )
    x, weights, bias = Standard(node, build), build.constant(node.input(1)), node.input(2)
    offsets = build.constant(bias)
    if weights is None or (bias and offsets is None):
        raise UnsupportedOp("computed weights", hint="freeze the weights")
    sizes = node.get_ints("qkv_hidden_sizes", (weights.data.shape[1] // 3,) * 3)
    ends = np.cumsum(sizes)[:-1]
    names = [
        x.op("MatMul", [node.input(0), x.real(part)])
        for part in np.split(weights.data, ends, axis=1)
    ]
    if offsets is not None:
        parts = np.split(offsets.data.reshape(-1), ends)
        names = [x.op("Add", [n, x.real(p)]) for n, p in zip(names, parts, strict=True)]
    _contrib(x, names)


def read_rotary(node: OnnxNode, build: Builder) -> None:
    """RotaryEmbedding: x times cosines, and x with its halves exchanged times sines."""
    tables = [build.constant(node.input(i)) for i in (1, 2)]
    places = build.constant(node.input(3))
    if tables[0] is None or tables[1] is None or (node.input(3) and places is None):
        raise UnsupportedOp("positions or tables that are computed", hint="make them constants")
    x, name = Standard(node, build), node.input(0)
    merged = len(build.shape(name)) == 3
    name = _heads(x, name, node.get_int("num_heads", 0)) if merged else name
    width = build.shape(name)[3]
    used = node.get_int("rotary_embedding_dim", 0) or width
    pairs = np.arange(used)  # of each pair both places, one behind the other
    if not node.get_int("interleaved", 0):
        pairs = pairs.reshape(2, -1).T.reshape(-1)
    cos, sin = (t.data if places is None else t.data[places.data.astype(int)] for t in tables if t)
    if cos.shape[-1] * 2 != used:
        raise UnsupportedOp(f"tables of {cos.shape[-1]} angles for {used} channels")
    cosines = np.ones((*cos.shape[:-1], width))
    sines = np.zeros((*sin.shape[:-1], width))
    order = np.arange(width)
    cosines[..., pairs] = np.repeat(cos, 2, axis=-1)
    sines[..., pairs] = np.repeat(sin, 2, axis=-1) * np.tile([-1.0, 1.0], used // 2)
    order[pairs] = pairs.reshape(-1, 2)[:, ::-1].reshape(-1)
    turned = x.op("Gather", [name, x.constant(order.astype(np.int64))], axis=3)
    spread = [np.expand_dims(t, -3) for t in (cosines, sines)]
    parts = [x.op("Mul", [n, x.real(t)]) for n, t in zip((name, turned), spread, strict=True)]
    made = inner(node, "rotated").outputs[0] if merged else node.outputs[0]
    x.op("Add", parts, made)
    if merged:
        _merge(x, made)


READERS = {
    "Attention": read_attention,
    "RotaryEmbedding": read_rotary,
    "com.microsoft::Attention": read_packed_weights,
    "com.microsoft::GroupQueryAttention": read_grouped,
    "com.microsoft::MultiHeadAttention": read_multi_head,
}
