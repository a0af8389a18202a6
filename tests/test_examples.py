# SPDX-License-Identifier: Apache-2.0
"""The scripts of docs/examples do what their pages say."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from itertools import islice
from pathlib import Path
from types import ModuleType

import onnx
import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "docs" / "examples"


def _loaded(name: str, patch: pytest.MonkeyPatch) -> ModuleType:
    spec = spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    patch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_variants_are_valid_small_and_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are those of every run, of four families, and none has more than thirty layers."""
    example = _loaded("variants", monkeypatch)
    made = list(example.variants(16))
    for one in made:
        onnx.checker.check_model(one.model, full_check=True)
    assert {"mobilenet", "inverted", "dscnn", "resnet"} == {m.name[:-5] for m in made}
    assert 16 == len({one.model.SerializeToString(deterministic=True) for one in made})
    again = [one.model for one in islice(example.variants(), 3)]
    assert [one.model for one in made[:3]] == again
    layers = [one.layers for one in example.variants(200)]
    assert max(layers) <= example.MOST_LAYERS
