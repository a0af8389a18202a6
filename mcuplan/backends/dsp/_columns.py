# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions from pairs of columns, four channels at a time, of the dsp backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.backends.dsp._shared import FOUR, clamped, int32_stream, kernel, shifts
from mcuplan.ir.op import Blocks, Call, ConstArray, Field, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.fields import clamp_fields, prepared

__all__ = ["KERNELS"]

_PAIR_BYTES, _BLOCK_BYTES, _LINES_BYTES, _MAP_BYTES = 16, 20, 64, 76
_SMALL = (3, 5)  # columns of maps, 3x3
_SMALL_WORDS = 5  # of a channel
_NOTHING = -1  # a byte that is no weight


@dataclass(frozen=True, slots=True)
class _Body:
    """How a block of outputs side by side is made.

    ``columns`` of the input, 0: any; ``taps``: bytes of a row of weights, which of them each is;
    ``ahead``: pairs of columns from a block to the next.
    """

    number: int
    kernel: int
    stride: int
    columns: int
    block: int
    taps: tuple[int, ...]
    ahead: int = 0


_FIVE, _SEVEN = (0, 2, 1, 3, 4), (0, 2, 1, 3, 4, 6, 5, _NOTHING)
_PAIRS_OF_FIVE = (0, 2, 1, 3, 1, 3, 2, 4)
_BODIES = (
    _Body(2, 7, 1, 5, 5, (3, 5, 4, 6, 2, 4, 3, 5, 1, 0, 2, 1)),
    _Body(6, 7, 1, 3, 3, (3, 2, 4, 3, 1, 5, 2, _NOTHING)),
    _Body(3, 5, 1, 10, 5, _PAIRS_OF_FIVE, ahead=1),
    _Body(7, 5, 1, 5, 5, _PAIRS_OF_FIVE),
    _Body(8, 5, 1, 7, 4, _PAIRS_OF_FIVE),
    _Body(5, 5, 2, 5, 3, _FIVE),
    _Body(10, 7, 2, 0, 4, _SEVEN),
    _Body(0, 7, 2, 0, 5, _SEVEN),
    _Body(11, 5, 2, 0, 4, _FIVE),
    _Body(1, 5, 2, 0, 5, _FIVE),
)


def _body(sig: Signature) -> _Body | None:
    """That of known columns, or that of the fewest and smallest blocks."""
    op = sig.op
    assert isinstance(op, Conv2D)
    size, stride, out_w = op.kernel[0], op.stride[0], sig.output.shape[2]
    in_w, half = sig.inputs[0].shape[2], size // 2
    padded = op.pads[1] == half and out_w == -(-in_w // stride)
    found = [
        body
        for body in _BODIES
        if (body.kernel, body.stride) == (size, stride)
        and out_w >= body.block
        and (not body.columns or (padded and body.columns == in_w))
    ]
    return min(found, key=lambda b: (not b.columns, -(-out_w // b.block), b.block), default=None)


def _takes(sig: Signature) -> bool:
    """Whether a layer is depthwise, kernel and stride the same both ways."""
    op = sig.op
    assert isinstance(op, Conv2D)
    channels = sig.inputs[0].channels
    return (
        op.groups == channels == sig.output.channels >= FOUR
        and op.kernel[0] == op.kernel[1]
        and op.stride[0] == op.stride[1]
        and op.dilation == (1, 1)
        and max(op.pads) < op.kernel[0]
        and sig.inputs[0].shape[2] >= 3
        and not prepared(sig).pre_shift.any()
        and prepared(sig).fits_one_shift
    )


def _supports(sig: Signature) -> bool:
    return _takes(sig) and _body(sig) is not None and _PAIR_BYTES * _pairs(sig) < 1 << 16


def _small_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    return (
        _takes(sig)
        and (op.kernel, op.stride, op.pads[1], op.pads[3]) == ((3, 3), (1, 1), 1, 1)
        and sig.inputs[0].shape[2] in _SMALL
    )


def _found(sig: Signature) -> _Body:
    body = _body(sig)
    assert body is not None
    return body


def _before(sig: Signature) -> int:
    """Columns of a line before the first one of the input."""
    op = sig.op
    assert isinstance(op, Conv2D)
    return 0 if _found(sig).columns else op.pads[1]


def _pairs(sig: Signature) -> int:
    """Pairs of columns of a line: those of the input, and those that windows of stride 2 see."""
    body = _found(sig)
    inside = -(-(_before(sig) + sig.inputs[0].shape[2]) // 2)
    return inside if body.columns else max(inside, sig.output.shape[2] + body.kernel // 2)


def _blocks(sig: Signature) -> int:
    return -(-sig.output.shape[2] // _found(sig).block)


def _scratch(sig: Signature) -> int:
    blocks = sig.output.shape[1] * _blocks(sig)
    lines = sig.inputs[0].shape[1] * (FOUR + _PAIR_BYTES * _pairs(sig))
    return _LINES_BYTES + _BLOCK_BYTES * blocks + lines


def _tap_bytes(body: _Body) -> int:
    return -(-len(body.taps) // FOUR) * FOUR


def _channel_words(sig: Signature) -> int:
    """Bias, multiplier and weights of a channel."""
    body = _found(sig)
    return 2 + body.kernel * _tap_bytes(body) // FOUR


def _lower(sig: Signature) -> tuple[Call, ...]:
    body = _found(sig)
    own: dict[str, Field] = {
        "pairs": _pairs(sig),
        "tap_bytes": _tap_bytes(body),
        "before": _before(sig),
        "block": body.block,
        "body": body.number,
        "ahead": body.ahead,
    }
    return _lowered(sig, _channel_words(sig), body.taps, own)


def _small(sig: Signature) -> tuple[Call, ...]:
    columns = sig.inputs[0].shape[2]
    own: dict[str, Field] = {
        "pairs": -(-columns // 2),
        "tap_bytes": FOUR,
        "before": 0,
        "block": columns,
        "body": 0,
        "ahead": 0,
    }
    return _lowered(sig, _SMALL_WORDS, (0, 1, 1, 2), own)


def _lowered(
    sig: Signature, words: int, taps: tuple[int, ...], own: dict[str, Field]
) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Conv2D)
    _, in_h, in_w, channels = sig.inputs[0].shape
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, Packed(channels * words, lambda: _words(sig, taps))),
        "in_h": in_h,
        "in_w": in_w,
        "channels": channels,
        "out_w": sig.output.shape[2],
        "channel_bytes": FOUR * words,
        "kernel": op.kernel[0],
        "stride": op.stride[0],
        "pad_top": op.pads[0],
        "in_zero_point": sig.inputs[0].q.z,
    }
    return (Call(fields | own | clamp_fields(sig)),)


def _words(sig: Signature, taps: tuple[int, ...]) -> Array:
    """int32 stream of each channel: bias, multiplier, rows of weights; one alone is an int16.

    The zero point of the input leaves the bias, since it is taken off the lines.
    """
    requant = prepared(sig)
    w = sig.constant(1)[..., 0].astype(np.int64)
    bias = requant.bias.astype(np.int64) + sig.inputs[0].q.z * w.sum(axis=(1, 2))
    bytes_of = [np.where(t < 0, 0, w[:, :, t]) for t in taps]
    words = [
        bytes_of[i] & 0xFFFF
        if i + 1 == len(taps)
        else sum((bytes_of[i + k] & 0xFF) << 8 * k for k in range(FOUR))
        for i in range(0, len(taps), FOUR)
    ]
    rows = np.stack(words, axis=-1).reshape(len(w), -1)
    factors = np.stack([bias, requant.multiplier.astype(np.int64)], axis=1)
    return int32_stream(np.concatenate([factors, rows], axis=1))


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Lines of four channels, then blocks of outputs of each, a row of weights after the other."""
    body, (_, out_h, out_w, channels) = _found(sig), sig.output.shape
    fours, blocks = -(-channels // FOUR), _blocks(sig)
    rows, in_w = sig.inputs[0].shape[1], sig.inputs[0].shape[2]
    alone = _before(sig) % 2
    whole, behind = divmod(in_w - alone, 2)
    made = channels * blocks
    return {
        "call": len(runs),
        "place": out_h * blocks,
        "row": rows,
        "pad": rows * _pairs(sig),
        "four": fours,
        "line": fours * rows,
        "pair": fours * rows * whole,
        "half": fours * rows * (alone + behind),
        "channel": channels,
        f"block{body.block}": made * out_h,
        f"taps{body.number}": made * sig.taps(1).inside,
        "shifted": out_h * channels * out_w * shifts(sig),
        **clamped(sig),
    }


def _small_scratch(sig: Signature) -> int:
    op = sig.op
    assert isinstance(op, Conv2D)
    (_, in_h, in_w, _), lines = sig.inputs[0].shape, sig.output.shape[1] + 2
    return _MAP_BYTES + FOUR * in_h + _PAIR_BYTES * -(-in_w // 2) * lines


def _small_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Lines of four channels, then rows of outputs of each."""
    (_, in_h, in_w, channels), out_h = sig.inputs[0].shape, sig.output.shape[1]
    fours = -(-channels // FOUR)
    return {
        "call": len(runs),
        "row": out_h,
        "four": fours,
        "line": fours * in_h,
        "pair": fours * in_h * (in_w // 2),
        "channel": channels,
        f"columns{in_w}": channels * out_h,
        "shifted": out_h * channels * in_w * shifts(sig),
        **clamped(sig),
    }


KERNELS = (
    kernel(
        Conv2D,
        function="mplan_columns3x3_s8_dsp",
        lower=_small,
        work=_small_work,
        supports=_small_supports,
        scratch_bytes=_small_scratch,
        row_by_row=False,
        cost_class="depthwise",
        blocks=lambda sig: Blocks(2, _SMALL_WORDS - 2),
    ),
    kernel(
        Conv2D,
        function="mplan_columns_s8_dsp",
        lower=_lower,
        work=_work,
        supports=_supports,
        scratch_bytes=_scratch,
        row_by_row=False,
        cost_class="depthwise",
        blocks=lambda sig: Blocks(2, _channel_words(sig) - 2),
    ),
)
