# SPDX-License-Identifier: Apache-2.0
"""mcuplan: from a trained ONNX model to proven firmware code."""

__version__ = "0.1.0"
__all__ = ["__version__"]
