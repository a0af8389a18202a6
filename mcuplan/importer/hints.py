# SPDX-License-Identifier: Apache-2.0
"""A way out for operators that are not supported: a rewrite, an export option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["WAYS", "Way", "way_out"]


@dataclass(frozen=True, slots=True)
class Way:
    """What to do instead; ``ends``: end the model in front of the node."""

    action: str
    ends: bool = False


_CUT = Way("cut the model before its post-processing", ends=True)

WAYS: Mapping[str, Way] = {
    "BitShift": _CUT,
    "Col2Im": Way("nn.Upsample(mode='nearest') and Conv2d instead of fold"),
    "ConvInteger": Way("quantize statically (QDQ or QLinearConv)"),
    "DeformConv": Way("an ordinary Conv2d"),
    "DynamicQuantizeLinear": Way("quantize statically, with calibration data"),
    "GridSample": Way("nn.Upsample(mode='nearest') where the grid is regular"),
    "MatMulInteger": Way("quantize statically (QDQ or QLinearMatMul)"),
    "MaxRoiPool": _CUT,
    "Multinomial": _CUT,
    "NonMaxSuppression": _CUT,
    "NonZero": _CUT,
    "RandomNormal": Way("export for inference: model.eval()"),
    "RandomNormalLike": Way("export for inference: model.eval()"),
    "RandomUniform": Way("export for inference: model.eval()"),
    "RandomUniformLike": Way("export for inference: model.eval()"),
    "RoiAlign": _CUT,
    "Unique": _CUT,
    "ai.onnx.ml::DictVectorizer": Way("give the model numbers, not maps"),
    "ai.onnx.ml::Imputer": Way("replace missing values before the model"),
    "ai.onnx.ml::LabelEncoder": Way("encode labels in the application", ends=True),
    "ai.onnx.ml::OneHotEncoder": Way("encode categories before the model"),
}
_DOMAIN = Way("export with standard ONNX operators")


def way_out(kind: str) -> Way:
    """What to do about an operator (``OnnxNode.kind``), in one line."""
    known = WAYS.get(kind)
    if known is not None:
        return known
    if kind.startswith("com.microsoft::"):
        return Way("save the model without graph optimizations")
    return _DOMAIN if "::" in kind else Way("`mcuplan ops` lists what is supported")
