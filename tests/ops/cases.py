# SPDX-License-Identifier: Apache-2.0
"""Examples of operators made into integer cases: random grids, weights and inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuplan.ir.op import Example, QuantRule, Signature
from mcuplan.ir.types import Array, DType, Quant, TensorType, Types
from mcuplan.ops import all_ops


@dataclass(frozen=True)
class Case:
    """An operator with quantized types, and integer arrays for its activations."""

    name: str
    sig: Signature
    arrays: tuple[Array, ...]

    def integer(self) -> Array:
        """The integer meaning of the operator on these arrays: the first output."""
        return self.integers()[0]

    def integers(self) -> tuple[Array, ...]:
        """All outputs of the integer meaning."""
        return self.sig.op.integer(self.sig, *self.arrays)

    def real_inputs(self) -> list[Array]:
        """What the operator sees in float."""
        pairs = zip(self.arrays, self.sig.inputs, strict=True)
        return [_real(array, kind) for array, kind in pairs]


def _real(array: Array, kind: TensorType) -> Array:
    if kind.quant is None:
        return array
    quant = kind.q
    shape = [1] * array.ndim
    if quant.axis is not None:
        shape[quant.axis] = -1
    scale = np.array(quant.scale).reshape(shape) if array.ndim else np.array(quant.scale[0])
    zero = np.array(quant.zero_point).reshape(shape) if array.ndim else quant.zero_point[0]
    return ((array.astype(np.float64) - zero) * scale).astype(np.float32)


def all_examples() -> list[tuple[str, Example]]:
    """Every example of every operator, named by operator and number."""
    found = []
    for op in all_ops():
        for k, example in enumerate(op.examples()):
            found.append((f"{op.__name__}_{k}", example))
    return found


def grid_examples() -> list[tuple[str, Example]]:
    """Those of operators that are defined for integers on grids, or of integers on none."""
    return [
        (name, example)
        for name, example in all_examples()
        if example.types or not example.op.types[0].inputs[0].is_float
    ]


def random_quant(rng: np.random.Generator, dtype: DType = DType.INT8) -> Quant:
    """A grid of any kind that real models have."""
    low, high = dtype.low, dtype.high
    zero_point = int(rng.choice([low, 0, high, int(rng.integers(low, high + 1))]))
    finer = DType.INT8.steps / dtype.steps
    scale = float(np.float32(10 ** rng.uniform(-2.5, 0.5) * finer))
    return Quant.per_tensor(scale, zero_point, dtype)


def random_codes(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: DType = DType.INT8
) -> Array:
    """Values of a type with the ends of the range well represented."""
    values = rng.integers(dtype.low, dtype.high + 1, size=shape)
    ends = rng.choice([dtype.low, dtype.high], size=shape)
    return np.where(rng.random(shape) < 0.1, ends, values).astype(dtype.numpy)


_INDICES = (DType.INT32, DType.INT64)
_ON_GRIDS = (DType.INT8, DType.INT16)


def weight_types(example: Example) -> list[DType]:
    """Types of integers that weights of an example may have; of one without weights, int8."""
    op = example.op
    found = [types.weights[0] for types in op.types] if op.weight_inputs else [DType.INT8]
    return [dtype for dtype in found if not dtype.is_float] or [DType.INT8]


def make_case(
    name: str,
    example: Example,
    seed: int,
    weights: DType = DType.INT8,
    least: int | None = None,
    types: Types | None = None,
) -> Case:
    """Quantized types and values for an example; equal seeds give equal cases.

    ``weights``: their type, and the ``least`` of them where that is not its least.
    ``types``: of the operator's, the first by default.
    """
    if example.types:
        return make_whole_case(name, example, seed)
    rng = np.random.default_rng([seed, *name.encode()])
    op = example.op
    types = types or op.types[0]
    shared = random_quant(rng, types.inputs[0] if types.inputs[0].bits == 16 else DType.INT8)
    kinds, arrays = [], []
    for index, shape in enumerate(example.inputs):
        if index and types.inputs[min(index, len(types.inputs) - 1)] in _INDICES:
            kind = TensorType(shape, types.inputs[index])
            array = rng.integers(-9, 9, shape).astype(kind.dtype.numpy)
        elif index in op.weight_inputs:
            bias = index == op.weight_inputs[1]
            kind, array = _weight(rng, bias, shape, kinds, weights)
            array = array if bias or least is None else array.clip(least)
        else:
            read = types.inputs[min(index, len(types.inputs) - 1)]
            codes = read if read.bits == 16 else DType.INT8
            passes = op.quant_rule is QuantRule.PASS_THROUGH
            quant = shared if passes else random_quant(rng, codes)
            kind = TensorType(shape, read, quant)
            array = random_codes(rng, shape, codes)
            if kind.dtype is DType.INT32:
                array = (array * rng.integers(1, 10, size=shape)).astype(np.int32)
            if kind.dtype is DType.BOOL:
                kind, array = TensorType(shape, DType.BOOL), array > 0
        kinds.append(kind)
        arrays.append(array)
    constants = tuple(a if i in example.constants else None for i, a in enumerate(arrays))
    shape = op.infer([TensorType(k.shape) for k in kinds])[0].shape
    draft = Signature(op, tuple(kinds), (TensorType(shape),), constants)
    case = Case(name, draft, tuple(arrays))
    dtype = types.outputs[0]
    quant = _output_quant(rng, case, shared, dtype) if dtype in _ON_GRIDS else None
    output = TensorType(shape, dtype, quant)
    others = op.infer([*map(_plain, kinds)])[1:]  # indices
    return Case(name, Signature(op, tuple(kinds), (output, *others), constants), tuple(arrays))


def _plain(kind: TensorType) -> TensorType:
    return TensorType(kind.shape)


def drawn(rng: np.random.Generator, dtype: DType, shape: tuple[int, ...]) -> Array:
    """Values of a type: normal, or integers of every size, the ends among them."""
    if dtype.is_float:
        return rng.normal(size=shape).astype(dtype.numpy)
    if dtype is DType.BOOL:
        return rng.integers(0, 2, shape).astype(dtype.numpy)
    sizes = rng.integers(0, 2 ** rng.integers(1, min(dtype.bits, 63), shape))
    values = np.where(rng.random(shape) < 0.5, sizes, -sizes) if dtype.sort == "s" else sizes
    ends = rng.choice([dtype.low, dtype.high], size=shape)
    return np.where(rng.random(shape) < 0.1, ends, values).astype(dtype.numpy)


def make_whole_case(name: str, example: Example, seed: int) -> Case:
    """Integers and truth values on no grid; real values among them beyond every integer."""
    rng = np.random.default_rng([seed, *name.encode()])
    arrays = []
    for kind in example.kinds:
        values = drawn(rng, kind.dtype, kind.shape)
        if kind.dtype.is_float:
            values = (values * 10 ** rng.uniform(-2, 22, kind.shape)).astype(np.float32)
            at = rng.random(kind.shape) < 0.2
            values[at] = rng.choice(_SPECIAL, at.sum())
        arrays.append(values)
    constants = tuple(a if i in example.constants else None for i, a in enumerate(arrays))
    outputs = example.op.infer(example.kinds)
    sig = Signature(example.op, example.kinds, outputs, constants)
    make = FloatCase if outputs[0].dtype.is_float else Case
    return make(name, sig, tuple(arrays))


_SPECIAL = np.float32([np.nan, np.inf, -np.inf, -0.0, 0.5, -0.5, 127, 128, -128, -129, 255, 256])


@dataclass(frozen=True)
class FloatCase(Case):
    """An operator in float32; its meaning there takes the place of the integer one."""

    def integers(self) -> tuple[Array, ...]:
        """The float32 meaning of the operator on these arrays."""
        return self.sig.op.float32(*self.arrays)


def make_float_case(name: str, example: Example, seed: int) -> FloatCase:
    """Values of very different sizes, so that the order of a sum shows."""
    rng = np.random.default_rng([seed, *name.encode()])
    arrays = tuple(
        (rng.standard_normal(shape) * 10 ** rng.uniform(-3, 3, shape)).astype(np.float32)
        for shape in example.inputs
    )
    kinds = tuple(TensorType(array.shape) for array in arrays)
    constants = tuple(a if i in example.constants else None for i, a in enumerate(arrays))
    outputs = example.op.infer(kinds)
    return FloatCase(name, Signature(example.op, kinds, outputs, constants), arrays)


def _weight(
    rng: np.random.Generator,
    bias: bool,
    shape: tuple[int, ...],
    kinds: list[TensorType],
    dtype: DType,
) -> tuple[TensorType, Array]:
    if bias:
        scale = tuple(kinds[0].q.s * s for s in kinds[1].q.scale)
        values = rng.integers(-3000, 3000, size=shape).astype(np.int32)
        return TensorType(shape, DType.INT32, Quant(scale, (0,) * len(scale), 0)), values
    channels = shape[0]
    scale = tuple(float(np.float32(10**e)) for e in rng.uniform(-3, -1, channels))
    block = 4 if dtype is DType.INT4_BLOCKS else None
    kind = TensorType(shape, dtype, Quant(scale, (0,) * channels, 0, dtype, factored=block))
    codes = random_codes(rng, shape).astype(np.int64)
    if block:
        factors = rng.integers(1, 16, (*shape[:-1], -(-shape[-1] // block)))
        codes = (codes >> 4) * np.repeat(factors, block, axis=-1)[..., : shape[-1]]
    if dtype is DType.INT16:
        codes *= 2  # 9 bits are asked for
    return kind, (codes >> max(0, 8 - dtype.bits)).astype(dtype.numpy)


def _output_quant(
    rng: np.random.Generator, case: Case, shared: Quant, dtype: DType = DType.INT8
) -> Quant:
    """The rule of the operator, or a grid that the results nearly fill or overflow."""
    op = case.sig.op
    if op.quant_rule is QuantRule.PASS_THROUGH:
        return shared
    if op.quant_rule is QuantRule.FIXED:
        return op.fixed_grid(dtype)
    if rng.random() < 0.15:
        first = next(kind.q for kind in case.sig.inputs if kind.quant is not None)
        if first.dtype is dtype:
            return first
    with np.errstate(all="ignore"):
        result = op.reference(*case.real_inputs())[0]
    finite = result[np.isfinite(result)]
    spread = float(np.quantile(np.abs(finite), 0.95)) if finite.size else 1.0
    sources = [kind.q.scale[0] for kind in case.sig.inputs if kind.quant is not None]
    least = 1e-3 * max(max(sources), float(np.prod(sources)))  # where a clamp leaves zeros only
    scale = max(spread / dtype.high, least) * 10 ** rng.uniform(-0.3, 0.5)
    zero_point = random_quant(rng, dtype).zero_point[0]
    return Quant.per_tensor(float(np.float32(scale)), zero_point, dtype)
