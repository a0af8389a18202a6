# SPDX-License-Identifier: Apache-2.0
"""Support vector machines: weighted sums of how near a sample is to vectors seen in training.

Source: the ONNX operators SVMRegressor and SVMClassifier of ``ai.onnx.ml``. In float32 only: near
a border of classes a sum is small beside its terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedOp
from mcuplan.ir.builder import Builder, Constant, OnnxNode
from mcuplan.ir.geometry import ALL, InputMap, Shape, over_last
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, ConstArray, Cost, Example, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops._classical import RETRAIN, Standard, add_classes, class_labels, end
from mcuplan.ops._math_f32 import exp_f32
from mcuplan.ops._read import held_ending_with

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "SupportVectors"]


@dataclass(frozen=True, slots=True)
class SupportVectors(Op):
    """``weights * exp(-gamma * |x - v|^2) + bias`` over all vectors v.

    Inputs: samples, vectors [vectors, features], weights [vectors, results], bias [results].
    """

    gamma: float

    types = (Types.all(DType.FLOAT32),)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Features on the last axis become results."""
        x, vectors, weights, bias = (kind.shape for kind in inputs)
        assert x[-1:] == vectors[1:]
        assert weights == (vectors[0], *bias)
        return (TensorType((*x[:-1], *bias)),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """All of the last axis, and all constants."""
        rest = tuple((ALL,) * len(shape) for shape in inputs[1:])
        return (*over_last(inputs[:1]), *rest)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """In double precision."""
        x, vectors, weights, bias = (array.astype(np.float64) for array in arrays)
        far = np.square(x[..., None, :] - vectors).sum(axis=-1)
        return ((np.exp(-self.gamma * far) @ weights + bias).astype(np.float32),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """Vector by vector, feature by feature, the bias last: as `mplan_support_vectors_f32`."""
        x, vectors, weights, bias = arrays
        sums = np.zeros((*x.shape[:-1], len(bias)), np.float32)
        for vector, row in zip(vectors, weights, strict=True):
            far = np.zeros(x.shape[:-1], np.float32)
            for feature, value in enumerate(vector):
                apart = x[..., feature] - value
                far = far + apart * apart
            near = exp_f32(np.float32(-self.gamma) * far)
            sums = sums + row * near[..., None]
        return (sums + bias,)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """A difference and its square for each feature of each vector, then its weights."""
        samples = inputs[0].elements // inputs[0].shape[-1]
        return Cost(macs=samples * (inputs[1].elements + inputs[2].elements))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """One sample, several, one vector."""
        for gamma, shape, vectors, results in [
            (0.5, (1, 3), 4, 1),
            (0.001, (1, 5, 2), 3, 3),
            (2.0, (1, 1), 1, 2),
        ]:
            shapes = (shape, (vectors, shape[-1]), (vectors, results), (results,))
            yield Example(cls(gamma), shapes, constants=(1, 2, 3))


# -- readers ------------------------------------------------------------------------------


def _sums(x: Standard, weights: Array, bias: Array) -> str:
    """The sums of a machine: weights [results, vectors]; a linear one has weights of features."""
    kind = x.node.get_str("kernel_type", "LINEAR")
    samples = x.matrix()
    features = x.build.shape(samples)[1]
    vectors = x.floats("support_vectors")
    if not vectors.size or vectors.size != weights.shape[1] * features:
        raise DamagedModel(f"{vectors.size} numbers of support vectors", hint="export again")
    vectors = vectors.reshape(-1, features)
    if kind == "LINEAR":
        matrix = x.real(weights @ vectors)
        return x.op("Gemm", [samples, matrix, x.real(bias)], transB=1)
    if kind != "RBF":
        raise UnsupportedOp(f"kernel_type={kind}", hint=RETRAIN)
    gamma = float(x.floats("kernel_params")[0])
    name = f"{next(filter(None, x.node.outputs))}:sums"
    constants = [
        x.build.add_constant(Constant(values.astype(np.float32)), f"{name}_{stem}")
        for values, stem in ((vectors, "vectors"), (weights.T, "weights"), (bias, "bias"))
    ]
    layout = held_ending_with(x.build, samples, 1) or (0, 1)
    inputs = [x.build.in_layout(samples, layout), *constants]
    x.build.add(SupportVectors(gamma), inputs, replace(x.node, outputs=(name,)), layout)
    return name


def read_svm_regressor(node: OnnxNode, build: Builder) -> None:
    """One sum; of a machine of one class its sign."""
    x = Standard(node, build)
    weights, bias = x.floats("coefficients").reshape(1, -1), x.floats("rho")
    if bias.size != 1:
        raise DamagedModel(f"{bias.size} numbers in rho", hint="export again")
    if node.get_int("n_supports", 0) > 0:
        made = _sums(x, weights, bias)
    else:
        made = x.op("Gemm", [x.matrix(), x.real(weights), x.real(bias)], transB=1)
    if node.get_int("one_class", 0):
        inside = x.op("Cast", [x.op("Greater", [made, x.real(np.zeros(1))])], to=1)
        double = x.op("Mul", [inside, x.real(np.array([2.0]))])
        made = x.op("Sub", [double, x.real(np.array([1.0]))])
    end(x, made, node.outputs[0])


def read_svm_classifier(node: OnnxNode, build: Builder) -> None:
    """A sum for each pair of classes, which votes for one; or a line for each class."""
    x = Standard(node, build)
    _, count = class_labels(x)
    sizes = x.floats("vectors_per_class").astype(np.int64)
    if node.attributes.get("prob_a"):
        raise UnsupportedOp("probabilities of an SVM", hint="SVC(probability=False)")
    if not sizes.sum():
        weights = x.floats("coefficients").reshape(count, -1)
        bias = np.full(count, x.floats("rho")[0])
        add_classes(x, x.op("Gemm", [x.matrix(), x.real(weights), x.real(bias)], transB=1), count)
        return
    if len(sizes) != count or sizes.min() < 0 or count < 2:
        raise DamagedModel(f"vectors of {len(sizes)} classes for {count} labels")
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    bias = x.floats("rho")
    if bias.size != len(pairs):
        raise DamagedModel(f"{bias.size} numbers in rho for {len(pairs)} pairs of classes")
    sums = _sums(x, _of_pairs(x, sizes, pairs), bias)
    if node.outputs[0]:
        _vote(x, sums, pairs, count)
    if len(node.outputs) > 1 and node.outputs[1]:
        both = [x.op("Neg", [sums]), sums] if count == 2 else [sums]
        end(x, x.op("Concat", both, axis=1), node.outputs[1])


def _of_pairs(x: Standard, sizes: Array, pairs: Sequence[tuple[int, int]]) -> Array:
    """Weights [pairs, vectors]: of the vectors of its two classes each."""
    given = x.floats("coefficients").reshape(len(sizes) - 1, int(sizes.sum()))
    starts = np.cumsum(sizes) - sizes
    weights = np.zeros((len(pairs), given.shape[1]))
    for row, (i, j) in zip(weights, pairs, strict=True):
        of_i = slice(starts[i], starts[i] + sizes[i])
        of_j = slice(starts[j], starts[j] + sizes[j])
        row[of_i], row[of_j] = given[j - 1, of_i], given[i, of_j]
    return weights


def _vote(x: Standard, sums: str, pairs: Sequence[tuple[int, int]], count: int) -> None:
    """The class that wins most pairs, the first of several: counted in integers."""
    first = x.op("Cast", [x.op("Greater", [sums, x.real(np.zeros(1))])], to=7)
    second = x.op("Sub", [x.constant(np.ones(1, np.int64)), first])
    votes = x.op("Concat", [first, second], axis=1)
    won = [
        [k + (0 if i == c else len(pairs)) for k, (i, j) in enumerate(pairs) if c in (i, j)]
        for c in range(count)
    ]
    each = x.op("Gather", [votes, x.constant(np.array(won, np.int64))], axis=1)
    total = x.op("ReduceSum", [each, x.constant(np.array([2], np.int64))], keepdims=0)
    labels, _ = class_labels(x)
    plain = labels is None or np.array_equal(labels, np.arange(count))
    best = x.op("ArgMax", [total], x.node.outputs[0] if plain else "", axis=1, keepdims=0)
    if not plain:
        x.op("Gather", [x.constant(np.asarray(labels)), best], x.node.outputs[0], axis=0)


def write_support_vectors(node: Node, out: Writer) -> None:
    """Differences, squares, exponentials and a product with the weights."""
    op = node.op
    assert isinstance(op, SupportVectors)
    source, vectors, weights, bias = node.inputs
    shape = out.shape(source)
    wide = out.constant("shape", np.array((*shape[:-1], 1, shape[-1]), np.int64))
    apart = out.node("Sub", [out.node("Reshape", [out.read(source), wide]), out.read(vectors)])
    squares = out.node("Mul", [apart, apart])
    axis = out.constant("axis", np.array([-1], np.int64))
    far = out.node("ReduceSum", [squares, axis], keepdims=0)
    gamma = out.constant("gamma", np.array(-op.gamma, np.float32))
    near = out.node("Exp", [out.node("Mul", [far, gamma])])
    sums = out.node("MatMul", [near, out.read(weights)])
    out.write(node.output, out.node("Add", [sums, out.read(bias)]))


# -- kernel -------------------------------------------------------------------------------


def _support_vectors(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, SupportVectors)
    vectors, results = sig.constant(2).shape
    features = sig.inputs[0].shape[-1]
    names = ("vector", "weight", "bias")
    tables = {n: ConstArray(DType.FLOAT32, sig.constant(k)) for k, n in enumerate(names, 1)}
    return (
        Call(
            {
                **tables,
                "vectors": vectors,
                "features": features,
                "results": results,
                "pixels": sig.inputs[0].elements // features // sig.inputs[0].rows,
                "factor": float(np.float32(-op.gamma)),
            }
        ),
    )


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Samples by vectors, by their features, and by results."""
    vectors, results = sig.constant(2).shape
    features = sig.inputs[0].shape[-1]
    samples = sig.inputs[0].elements // features
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "sample": samples,
        "vector": samples * vectors,
        "feature": samples * vectors * features,
        "product": samples * vectors * results,
        "output": samples * results,
    }


OPS = (SupportVectors,)
KERNELS = (
    Kernel(
        SupportVectors,
        "mplan_support_vectors_f32",
        _support_vectors,
        types=Types.all(DType.FLOAT32),
        cost_class="dense",
        work=_work,
    ),
)
READERS = {
    "ai.onnx.ml::SVMClassifier": read_svm_classifier,
    "ai.onnx.ml::SVMRegressor": read_svm_regressor,
}
WRITERS = {SupportVectors: write_support_vectors}
