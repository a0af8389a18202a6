# SPDX-License-Identifier: Apache-2.0
"""Linear models, scalers and what surrounds classical models (``ai.onnx.ml``).

They are read as standard operators.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ops._classical import RETRAIN, Standard, add_classes, end

__all__ = ["READERS"]


# -- linear models ------------------------------------------------------------------------


def _product(x: Standard, rows: int) -> str:
    """Samples times coefficients, with intercepts: [samples, rows]."""
    samples = x.matrix()
    features = x.build.shape(samples)[1]
    weights, offsets = x.floats("coefficients"), x.floats("intercepts")
    if rows < 1 or weights.size != rows * features or offsets.size not in (0, rows):
        raise DamagedModel(
            f"{weights.size} coefficients and {offsets.size} intercepts for {rows} results of "
            f"{features} features",
            hint="export again",
        )
    offsets = offsets if offsets.size else np.zeros(rows)
    matrix = x.real(weights.reshape(rows, features))
    return x.op("Gemm", [samples, matrix, x.real(offsets)], transB=1)


def read_linear_regressor(node: OnnxNode, build: Builder) -> None:
    """A matrix and an offset."""
    x = Standard(node, build)
    end(x, _product(x, node.get_int("targets", 1)), node.outputs[0])


def read_linear_classifier(node: OnnxNode, build: Builder) -> None:
    """A score for each class; of two classes it may be one."""
    x = Standard(node, build)
    rows = x.floats("intercepts").size
    features = build.shape(x.matrix())[1]
    rows = rows or x.floats("coefficients").size // max(1, features)
    add_classes(x, _product(x, rows), rows)


def read_scaler(node: OnnxNode, build: Builder) -> None:
    """``(x - offset) * scale``."""
    x = Standard(node, build)
    value = node.input(0)
    offset, scale = x.floats("offset"), x.floats("scale")
    if offset.any():
        value = x.op("Sub", [value, x.real(offset)])
    x.op("Mul", [value, x.real(scale if scale.size else np.ones(1))], node.outputs[0])


def read_normalizer(node: OnnxNode, build: Builder) -> None:
    """Each sample over its largest value, or its norm."""
    x = Standard(node, build)
    kind, samples = node.get_str("norm", "MAX"), x.matrix()
    if kind == "MAX":
        most = x.op("ReduceMax", [samples], axes=(1,), keepdims=1)
        x.op("Div", [samples, most], node.outputs[0])
        return
    if kind not in ("L1", "L2"):
        raise UnsupportedOp(f"norm={kind}", hint=RETRAIN)
    x.op("LpNormalization", [samples], node.outputs[0], axis=1, p=int(kind[1]))


def read_binarizer(node: OnnxNode, build: Builder) -> None:
    """1 where a value is above the threshold, else 0."""
    x = Standard(node, build)
    limit = x.real(np.array([node.get_float("threshold", 0.0)]))
    x.op("Cast", [x.op("Greater", [node.input(0), limit])], node.outputs[0], to=1)


def read_feature_vectorizer(node: OnnxNode, build: Builder) -> None:
    """Features side by side."""
    x = Standard(node, build)
    x.op("Concat", [x.matrix(i) for i in range(len(node.inputs))], node.outputs[0], axis=1)


def read_array_feature_extractor(node: OnnxNode, build: Builder) -> None:
    """Columns of the first input; labels that are their own index stay it."""
    x = Standard(node, build)
    table = build.constant(node.input(0))
    if table is not None and np.array_equal(table.data.reshape(-1), np.arange(table.data.size)):
        shape = x.constant(np.array([1, -1], np.int64))
        x.op("Reshape", [node.input(1), shape], node.outputs[0])
        return
    sizes = [1, -1] if len(build.shape(node.input(0))) == 1 else [-1]  # a vector is a row, too
    places = x.op("Reshape", [node.input(1), x.constant(np.array(sizes, np.int64))])
    x.op("Gather", [node.input(0), places], node.outputs[0], axis=-1)


def read_zip_map(node: OnnxNode, build: Builder) -> None:
    """Scores without the names of their classes, which a device does not need."""
    Standard(node, build).op("Identity", [node.input(0)], node.outputs[0])


READERS: dict[str, Callable[[OnnxNode, Builder], None]] = {
    f"ai.onnx.ml::{name}": reader
    for name, reader in {
        "ArrayFeatureExtractor": read_array_feature_extractor,
        "Binarizer": read_binarizer,
        "FeatureVectorizer": read_feature_vectorizer,
        "LinearClassifier": read_linear_classifier,
        "LinearRegressor": read_linear_regressor,
        "Normalizer": read_normalizer,
        "Scaler": read_scaler,
        "ZipMap": read_zip_map,
    }.items()
}
