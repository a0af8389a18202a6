# SPDX-License-Identifier: Apache-2.0
"""Model file to graph."""

from __future__ import annotations

from mcuplan.importer.onnx import PLACEHOLDER, Form, ImportedModel, load_model

__all__ = ["PLACEHOLDER", "Form", "ImportedModel", "load_model"]
