# SPDX-License-Identifier: Apache-2.0
"""Shapes that kernels are counted on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mcuplan.ir.op import NO_CLAMP
from mcuplan.ir.types import DType
from mcuplan.ops.attention import Attention
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv3d import Conv3D
from mcuplan.ops.dense import Dense
from mcuplan.ops.dense_real import DenseReal
from mcuplan.ops.eltwise import Add, Div, Maximum, Minimum, Mul, Sub
from mcuplan.ops.hardmax import Hardmax
from mcuplan.ops.interleave import Interleave
from mcuplan.ops.lp_pool import LpPool
from mcuplan.ops.masked_attention import MaskedAttention
from mcuplan.ops.matmul import MatMul
from mcuplan.ops.max_pool_index import MaxPoolIndex
from mcuplan.ops.min_pool import MinPool2D
from mcuplan.ops.movement import Transpose
from mcuplan.ops.normalize import Normalize
from mcuplan.ops.pad import Pad
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.quantize import Quantize
from mcuplan.ops.resample import Upsample
from mcuplan.ops.resize import Resize, pixel_taps
from mcuplan.ops.rounded_attention import RoundedAttention
from mcuplan.ops.slicing import Slice
from mcuplan.ops.softmax import Softmax
from mcuplan.ops.take import Take
from mcuplan.ops.tile import Tile
from mcuplan.ops.unary import Lookup
from mcuplan.prove.bench import SHAPES
from mcuplan.prove.fit.int16_shapes import in_int16
from mcuplan.prove.fit.lookup_shapes import looked_up
from mcuplan.prove.fit.random_shapes import random_shapes
from mcuplan.prove.fit.typed_shapes import typed_shapes
from mcuplan.prove.layers import Shape, signature_of

__all__ = ["macs_of", "sweep"]

_LONGEST = 400_000  # MACs of a shape that is worth the time

# kernel, input, outputs, stride, padded
_CONVOLUTIONS = (
    ((1, 1), (1, 1, 64), 32, 1),
    ((1, 1), (4, 4, 16), 16, 1),
    ((1, 1), (5, 7, 24), 10, 1),
    ((1, 1), (10, 10, 48), 48, 1),
    ((1, 1), (20, 20, 8), 40, 1),
    ((1, 1), (9, 9, 33), 17, 1),
    ((1, 1), (14, 14, 20), 60, 2),
    ((1, 1), (6, 6, 120), 40, 1),
    ((3, 3), (8, 8, 16), 16, 1),
    ((3, 3), (12, 12, 3), 16, 1),
    ((3, 3), (24, 24, 3), 8, 2),
    ((3, 3), (40, 40, 1), 8, 2),
    ((3, 3), (7, 9, 12), 10, 1),
    ((3, 3), (16, 16, 16), 32, 2),
    ((3, 3), (6, 6, 32), 32, 1),
    ((5, 5), (10, 10, 4), 8, 1),
    ((10, 4), (25, 6, 1), 32, 2),
    ((3, 1), (32, 1, 16), 16, 1),
    ((4, 4), (12, 12, 5), 7, 2),
    ((9, 1), (30, 1, 12), 16, 1),
    ((9, 1), (24, 1, 2), 8, 1),
    ((5, 1), (24, 1, 9), 8, 1),
    ((3, 3), (5, 4, 8), 8, 1),
    ((5, 5), (6, 6, 3), 8, 1),
    ((3, 3), (6, 3, 14), 12, 2),
    ((3, 3), (14, 12, 16), 8, 1),
    ((3, 3), (9, 11, 20), 16, 1),
    ((3, 3), (4, 8, 64), 16, 1),
    ((3, 3), (3, 17, 8), 24, 1),
    ((3, 3), (16, 5, 4), 4, 1),
    ((3, 1), (40, 1, 32), 16, 1),
    ((3, 1), (21, 1, 64), 24, 1),
    ((3, 1), (11, 4, 8), 8, 1),
    ((1, 3), (4, 20, 16), 16, 1),
    ((1, 3), (6, 9, 32), 8, 1),
    ((1, 3), (3, 30, 8), 12, 1),
)
_DEPTHWISE = (
    ((3, 3), (4, 4, 32), 1),
    ((3, 3), (10, 10, 16), 1),
    ((3, 3), (24, 24, 8), 1),
    ((3, 3), (7, 9, 20), 1),
    ((3, 3), (20, 20, 16), 2),
    ((3, 3), (9, 9, 64), 2),
    ((3, 3), (32, 32, 4), 2),
    ((3, 3), (6, 6, 6), 1),
    ((3, 3), (10, 6, 16), 2),
    ((3, 3), (8, 14, 12), 2),
    ((3, 3), (11, 7, 8), 2),
    ((3, 3), (13, 10, 20), 2),
    ((3, 3), (15, 4, 12), 1),
    ((3, 3), (9, 3, 16), 1),
    ((3, 3), (5, 8, 8), 1),
    ((3, 3), (8, 5, 24), 1),
    ((5, 5), (10, 10, 24), 1),
    ((5, 5), (20, 20, 8), 2),
    ((7, 7), (10, 10, 16), 1),
    ((7, 7), (14, 14, 8), 2),
    ((5, 5), (5, 5, 12), 1),
    ((5, 5), (17, 9, 8), 1),
    ((5, 5), (7, 26, 5), 1),
    ((5, 5), (25, 24, 4), 2),
    ((5, 5), (9, 13, 16), 2),
    ((7, 7), (5, 6, 16), 1),
    ((7, 7), (22, 9, 4), 1),
    ((7, 7), (4, 21, 8), 1),
    ((7, 7), (30, 11, 4), 2),
    ((7, 7), (9, 20, 8), 2),
    ((3, 3), (3, 3, 48), 1),
    ((3, 3), (5, 5, 20), 1),
    ((3, 3), (7, 3, 22), 1),
    ((3, 3), (25, 5, 8), 1),
    ((7, 7), (5, 5, 12), 1),
    ((7, 7), (9, 5, 24), 1),
    ((7, 7), (3, 3, 16), 1),
    ((7, 7), (6, 3, 40), 1),
    ((5, 5), (6, 10, 8), 1),
    ((5, 5), (9, 5, 8), 1),
    ((5, 5), (7, 7, 12), 1),
    ((5, 5), (12, 7, 8), 1),
    ((5, 5), (14, 8, 8), 2),
    ((7, 7), (12, 15, 8), 2),
    ((5, 5), (5, 5, 24), 2),
    ((5, 5), (8, 5, 12), 2),
    ((3, 1), (30, 1, 32), 1),
    ((5, 3), (12, 8, 8), 1),
)
_MATRICES = (
    ((1, 8), 128),
    ((1, 10), 3),
    ((1, 64), 12),
    ((1, 129), 31),
    ((1, 256), 64),
    ((1, 512), 10),
    ((1, 640), 32),
    ((1, 20, 16), 24),
    ((1, 7, 33), 9),
    ((1, 6, 5, 12), 40),
)
_POOLS = (
    ((2, 2), (12, 12, 8), (2, 2), 0),
    ((2, 2), (8, 8, 30), (2, 2), 0),
    ((3, 3), (9, 9, 16), (2, 2), 1),
    ((3, 3), (8, 8, 5), (1, 1), 1),
    ((3, 3), (12, 10, 12), (1, 1), 1),
    ((5, 5), (10, 10, 8), (5, 5), 0),
    ((4, 4), (4, 4, 64), (1, 1), 0),
    ((8, 8), (8, 8, 64), (1, 1), 0),
    ((12, 2), (12, 2, 33), (1, 1), 0),
    ((4, 1), (40, 1, 16), (4, 1), 0),
    ((2, 1), (64, 1, 24), (2, 1), 0),
    ((30, 1), (60, 1, 8), (30, 1), 0),
)
# queries, keys, width of values, causal
_ATTENTIONS = (
    ((1, 8, 4, 8), (1, 8, 4, 8), 8, False),
    ((1, 16, 2, 16), (1, 24, 1, 16), 16, False),
    ((1, 24, 1, 10), (1, 24, 1, 10), 10, True),
    ((1, 3, 3, 33), (1, 40, 3, 33), 33, False),
    ((1, 48, 1, 16), (1, 48, 1, 16), 16, False),
    ((1, 1, 8, 4), (1, 20, 8, 4), 4, False),
    ((1, 6, 2, 16), (1, 30, 2, 16), 4, False),
    ((1, 12, 1, 4), (1, 18, 1, 4), 40, False),
    ((1, 4, 1, 64), (1, 12, 1, 64), 8, True),
)
_KEYS, _VALUES = ((0, 1, 2, -1), (0, 3, 2, -1)), ((0, 1, 2, -1), (0, -1, 2, 3))
_PRODUCTS = (
    (_KEYS, (1, 8, 4, 8), (1, 8, 4, 8)),
    (_VALUES, (1, 8, 4, 8), (1, 8, 4, 8)),
    (_KEYS, (1, 16, 1, 16), (1, 24, 1, 16)),
    (_VALUES, (1, 16, 1, 24), (1, 24, 1, 16)),
    (_KEYS, (1, 64, 1, 64), (1, 64, 1, 64)),
    (_VALUES, (1, 64, 1, 64), (1, 64, 1, 64)),
    (_KEYS, (1, 7, 3, 10), (1, 5, 3, 10)),
    (_VALUES, (1, 7, 3, 5), (1, 5, 3, 10)),
    (_KEYS, (1, 1, 2, 33), (1, 40, 2, 33)),
    (_VALUES, (1, 1, 2, 40), (1, 40, 2, 33)),
    (((0, 1, 2, -1), (0, 1, -1, 3)), (1, 3, 12, 20), (1, 3, 20, 9)),
)
# kernel, input, outputs, places from one input to the next
_SPACED = (
    ((2, 2), (8, 8, 16), 8, 2),
    ((2, 2), (5, 7, 5), 9, 2),
    ((3, 3), (8, 8, 12), 6, 2),
    ((4, 4), (6, 5, 8), 8, 2),
    ((4, 1), (24, 1, 10), 6, 4),
    ((5, 5), (4, 6, 3), 4, 3),
    ((3, 3), (6, 6, 6), 5, 1),
    ((2, 2, 2), (3, 4, 3, 6), 4, 2),
    ((3, 3, 3), (5, 5, 5, 3), 4, 1),
    ((1, 3, 3), (4, 6, 5, 8), 6, 1),
    ((3, 1, 2), (6, 3, 7, 10), 3, 1),
    ((2, 2), (6, 6, 7), 4, 2),
    ((3, 3), (5, 5, 11), 4, 2),
    ((2, 2), (6, 4, 6), 5, 2),
    ((3, 3), (5, 4, 7), 3, 1),
)
# input, height and width made of it, coefficient of a cubic
_RESIZED = (
    ((6, 6, 8), (12, 12), None),
    ((5, 7, 3), (9, 9), None),
    ((4, 4, 16), (16, 16), None),
    ((12, 12, 20), (6, 5), None),
    ((16, 6, 1), (16, 12), None),
    ((6, 6, 4), (12, 12), -0.75),
    ((8, 5, 11), (5, 9), -0.75),
)
_CUBES = (((2, 2, 2), (6, 6, 6, 8)), ((3, 3, 3), (5, 4, 6, 5)), ((1, 3, 2), (4, 6, 8, 20)))
_PLANES = ((3, 16, 16), (3, 10, 33), (4, 12, 30), (13, 5, 7), (2, 40, 3), (6, 24, 1), (3, 1, 10))
_MAPS = ((1, 4, 4, 8), (1, 12, 12, 16), (1, 20, 20, 4), (1, 3, 30, 7), (1, 1, 1, 256), (1, 300))


def _conv(
    kernel: tuple[int, int],
    size: tuple[int, int, int],
    outputs: int,
    stride: int,
    groups: int = 1,
    act: tuple[float, float] = NO_CLAMP,
) -> Shape:
    h, w, c = size
    pads = ((kernel[0] - 1) // 2, (kernel[1] - 1) // 2, kernel[0] // 2, kernel[1] // 2)
    op = Conv2D(kernel, (stride, stride), pads=pads, groups=groups, act=act)
    return Shape(op, ((1, h, w, c),), ((outputs, *kernel, c // groups), (outputs,)))


def _dense(size: tuple[int, ...], outputs: int) -> Shape:
    return Shape(Dense(), (size,), ((outputs, size[-1]), (outputs,)))


def _weighted() -> Iterator[Shape]:
    yield from (_conv(*row) for row in _CONVOLUTIONS)
    for kernel, size, stride in _DEPTHWISE:
        yield _conv(kernel, size, size[2], stride, groups=size[2])
    yield _conv((3, 3), (9, 9, 8), 16, 1, groups=8)
    yield _conv((3, 3), (8, 8, 16), 12, 1, groups=4)
    yield from (_dense(*row) for row in _MATRICES)
    yield _conv((3, 3), (7, 8, 12), 12, 1, act=(0.0, 0.5))
    yield _conv((5, 5), (10, 10, 12), 12, 1, groups=12, act=(0.0, 0.5))
    yield _conv((7, 7), (10, 12, 12), 12, 2, groups=12, act=(0.0, 0.5))
    yield _conv((3, 3), (6, 5, 16), 16, 1, groups=16, act=(0.0, 0.5))
    yield _conv((3, 3), (4, 3, 24), 24, 1, groups=24, act=(0.0, 0.5))
    for size in ((1, 1, 48), (6, 6, 16), (12, 12, 32)):
        yield _conv((1, 1), size, 16, 1, act=(0.0, 0.5))
        yield _conv((3, 3), size, size[2], 1, groups=size[2], act=(0.0, 0.5))


def _wide() -> Iterator[Shape]:
    """Weights of 9 bits, which one kernel takes for every layer."""
    narrow = [shape for shape in _weighted() if shape.op.act == NO_CLAMP]
    for shape in narrow[::2]:
        yield replace(shape, wide=True)


def _rounded_attentions() -> Iterator[Shape]:
    """With a mask and without one."""
    operators = {bool(example.constants): example.op for example in RoundedAttention.examples()}
    for masked, op in operators.items():
        for queries, keys, width, _ in _ATTENTIONS:
            mask = ((1, queries[1], 1, keys[1]),) if masked else ()
            yield Shape(op, (queries, keys, (*keys[:3], width)), mask)


def _over_three() -> Iterator[Shape]:
    """Spaced inputs and three axes; what is pooled there in integers, and dilated averages."""
    for kernel, size, outputs, up in _SPACED:
        axes = len(kernel)
        after = tuple(max(0, k - 2) for k in kernel)
        op = Conv3D(kernel, (1,) * axes, (1,) * axes, (*after, *after), (up,) * axes)
        yield Shape(op, ((1, *size),), ((outputs, *kernel, size[-1]), (outputs,)))
    for kernel, size in _CUBES:
        ones, pads = (1, 1, 1), tuple(k // 2 for k in kernel) * 2
        for stride, around in ((ones, pads), ((2, 2, 2), (0,) * 6)):
            yield Shape(MaxPool2D(kernel, stride, ones, around), ((1, *size),))
            yield Shape(MinPool2D(kernel, stride, ones, around), ((1, *size),))
            yield Shape(AvgPool2D(kernel, stride, ones, around, around), ((1, *size),))
            yield Shape(MaxPoolIndex(kernel, stride, ones, around), ((1, *size),))
            for order in (1, 2, 3, 4):
                yield Shape(LpPool(kernel, stride, ones, around, order), ((1, *size),))
    for size in ((9, 9, 4), (7, 12, 16), (12, 5, 9)):
        yield Shape(AvgPool2D((2, 3), (1, 1), (2, 2)), ((1, *size),))


def _resized() -> Iterator[Shape]:
    for (h, w, c), (height, width), cubic in _RESIZED:
        sizes = ((h, height), (w, width))
        taps = (pixel_taps(n, target, cubic=cubic) for n, target in sizes)
        yield Shape(Resize(tuple(taps)), ((1, h, w, c),))


def _unweighted() -> Iterator[Shape]:
    for size, outputs in _MATRICES:
        yield Shape(DenseReal(), (size,), ((outputs, size[-1]), (outputs,), (outputs,)))
    for kernel, size, stride, pad in _POOLS:
        for op in (MaxPool2D, AvgPool2D):
            yield Shape(op(kernel, stride, (1, 1), (pad,) * 4), ((1, *size),))
    for (a, b), first, second in _PRODUCTS:
        yield Shape(MatMul(a, b, 4), (first, second))
    for queries, keys, width, causal in _ATTENTIONS:
        yield Shape(Attention(0.25, causal), (queries, keys, (*keys[:3], width)))
        mask = (1, queries[1], 1, keys[1])
        yield Shape(MaskedAttention(0.25), (queries, keys, (*keys[:3], width)), (mask,))
    yield from _rounded_attentions()
    yield from _over_three()
    yield from _resized()
    yield from _element_by_element()
    for channels, h, w in _PLANES:
        yield Shape(Transpose((0, 2, 3, 1)), ((1, channels, h, w),))
        yield Shape(Interleave(channels), ((1, channels * h, w),))
    yield from _moved()
    yield from _more_normalized()
    for example in Lookup.examples():
        yield Shape(example.op, ((1, 4, 5, 8),))
        yield Shape(example.op, ((1, 2, 30, 7),))


def _element_by_element() -> Iterator[Shape]:
    for size in _MAPS:
        for pairwise in (Add, Sub, Mul, Div, Maximum, Minimum):
            yield Shape(pairwise(), (size, size))
        yield from looked_up(size)
        yield Shape(Quantize(0.02, 3), (size,))
        yield Shape(Concat(len(size) - 1), (size, size))
        yield Shape(Softmax(), (size,))
        yield Shape(Hardmax(), (size,))
        yield from _normalized(size)


def _normalized(size: tuple[int, ...]) -> Iterator[Shape]:
    """Each pixel over its channels; each channel, and halves of them, over all pixels."""
    c = size[-1]
    gains = ((0.5,) * c, (0.25,) * c, 1e-5)
    yield Shape(Normalize(*gains, c), (size,))
    if len(size) == 4:
        for groups in sorted({c, 2 - c % 2, 1}):
            pixels = (1, 1, size[1] * size[2], c)
            yield Shape(Normalize(*gains, pixels[2] * c // groups, True, groups), (pixels,))


def _more_normalized() -> Iterator[Shape]:
    """Lines of many lengths."""
    for size in ((1, 20, 64), (1, 7, 27), (1, 4, 111), (1, 64), (1, 1, 49, 24), (1, 1, 25, 40)):
        yield from _normalized(size)


def _moved() -> Iterator[Shape]:
    for size in _MAPS[:4]:
        h, _, c = size[1:]
        yield Shape(Mul(), (size, (1, 1, 1, c)))
        yield Shape(Add(), (size, (1, 1, 1, c)))
        yield Shape(Transpose((0, 3, 1, 2)), (size,))
        yield Shape(Transpose((0, 2, 1, 3)), (size,))
        yield Shape(Pad(((0, 0), (1, 1), (2, 1), (0, 0))), (size,))
        yield Shape(Slice((None, (1, 1, h - 1), None, None)), (size,))
        yield Shape(Slice((None, None, None, (1, 2, c // 2))), (size,))
        yield Shape(Upsample((1, 2, 2, 1)), (size,))
        yield Shape(Tile((1, 1, 2, 1)), (size,))
        yield Shape(Concat(1), (size, size))
        for axis in (1, 2, 3):
            yield Shape(_taken(size, axis), (size,))


def _taken(size: tuple[int, ...], axis: int) -> Take:
    """Every other element of an axis, the constant between them."""
    own = tuple(i if i % 2 == 0 else -1 for i in range(size[axis] + 1))[: size[axis]]
    return Take(tuple(own if a == axis else None for a in range(len(size))))


def sweep() -> tuple[Shape, ...]:
    """Small and large, even and odd shapes of every operator that is counted."""
    small = (s for s in SHAPES if macs_of(s) <= _LONGEST)
    of_int8 = (*_weighted(), *_wide(), *_unweighted(), *small, *random_shapes(1, 16))
    narrow = (
        replace(shape, weights=dtype)
        for dtype in (DType.INT4, DType.INT4_BLOCKS)
        for shape in _weighted()
    )
    return (*of_int8, *narrow, *typed_shapes(), *in_int16(of_int8))


def macs_of(shape: Shape) -> int:
    """Multiply-accumulates of a shape."""
    return signature_of(shape, real=shape.form(real=False) is None).cost.macs
