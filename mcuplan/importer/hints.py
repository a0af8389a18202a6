# SPDX-License-Identifier: Apache-2.0
"""A way out for operators that are not supported: a rewrite, an export option."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["WAYS", "way_out"]

_CUT = "cut the model before its post-processing: --cut-output TENSOR"
_COMPARE = "compare in the application: --cut-output TENSOR"
_FRAMES = "a Conv1d over time (TCN) does the same work"
_NORM = "train with BatchNorm, which is folded away"
_TREES = "train a small dense network; trees have no integer form here"

WAYS: Mapping[str, str] = {
    "And": _COMPARE,
    "Attention": "convolutions instead of attention, or cut the model: --cut-output TENSOR",
    "BitShift": _CUT,
    "Col2Im": "nn.Upsample(mode='nearest') and Conv2d instead of fold",
    "ConvInteger": "quantize statically (QDQ or QLinearConv)",
    "ConvTranspose": "nn.Upsample(mode='nearest') and Conv2d instead",
    "CumSum": _CUT,
    "DeformConv": "an ordinary Conv2d",
    "DynamicQuantizeLinear": "quantize statically, with calibration data",
    "Einsum": "write it as nn.Linear, or as products and sums",
    "GRU": _FRAMES,
    "GatherElements": _CUT,
    "GatherND": _CUT,
    "GridSample": "nn.Upsample(mode='nearest') where the grid is regular",
    "GroupNormalization": _NORM,
    "If": "export with the branch that is taken at inference only",
    "InstanceNormalization": _NORM,
    "LRN": _NORM,
    "LSTM": _FRAMES,
    "LayerNormalization": _NORM,
    "Loop": "unroll the loop when exporting",
    "LpNormalization": "divide by a constant, or cut the model: --cut-output TENSOR",
    "MatMulInteger": "quantize statically (QDQ or QLinearMatMul)",
    "MaxRoiPool": _CUT,
    "Multinomial": _CUT,
    "NonMaxSuppression": _CUT,
    "NonZero": _CUT,
    "OneHot": _CUT,
    "Or": _COMPARE,
    "RMSNormalization": _NORM,
    "RNN": _FRAMES,
    "RandomNormal": "export for inference: model.eval()",
    "RandomNormalLike": "export for inference: model.eval()",
    "RandomUniform": "export for inference: model.eval()",
    "RandomUniformLike": "export for inference: model.eval()",
    "RoiAlign": _CUT,
    "Scan": "unroll the scan when exporting",
    "ScatterElements": _CUT,
    "ScatterND": _CUT,
    "SimplifiedLayerNormalization": _NORM,
    "TopK": _CUT,
    "Unique": _CUT,
    "ai.onnx.ml::ArrayFeatureExtractor": _CUT,
    "ai.onnx.ml::LinearClassifier": "nn.Linear in PyTorch, or skl2onnx of an MLPClassifier",
    "ai.onnx.ml::LinearRegressor": "nn.Linear in PyTorch, or skl2onnx of an MLPRegressor",
    "ai.onnx.ml::Normalizer": "LogisticRegression has Softmax with a multinomial solver",
    "ai.onnx.ml::SVMClassifier": "train a small dense network",
    "ai.onnx.ml::SVMRegressor": "train a small dense network",
    "ai.onnx.ml::Scaler": "scale with Sub and Mul, or fold it into the first layer",
    "ai.onnx.ml::TreeEnsembleClassifier": _TREES,
    "ai.onnx.ml::TreeEnsembleRegressor": _TREES,
    "ai.onnx.ml::ZipMap": "skl2onnx: options={'zipmap': False}",
}
_DOMAIN = "export with standard ONNX operators"


def way_out(kind: str) -> str:
    """What to do about an operator (``OnnxNode.kind``), in one line."""
    known = WAYS.get(kind)
    if known is not None:
        return known
    if kind.startswith("com.microsoft::"):
        return "save the model without graph optimizations"
    return _DOMAIN if "::" in kind else "`mcuplan ops` lists what is supported"
