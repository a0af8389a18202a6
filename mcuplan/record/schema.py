# SPDX-License-Identifier: Apache-2.0
"""The JSON schemas of reports, made of the record's classes.

Types give types, docstrings give descriptions, `Annotated` gives limits. `report/*schema.json`,
which are shipped, are :func:`schema_text`.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Hashable, Mapping
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from functools import cache
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from mcuplan.record.advice import FIT_SCHEMA, Fit
from mcuplan.record.joint import JOINT_SCHEMA, JointBudget
from mcuplan.record.limits import LEFT_OUT
from mcuplan.record.report import SCHEMA, Budget, Undecided

__all__ = [
    "fit_schema",
    "joint_schema",
    "json_key",
    "left_out",
    "report_schema",
    "schema_text",
]

_SIMPLE: Mapping[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": 0},
    float: {"type": "number"},
    type(None): {"type": "null"},
    Mapping: {"type": "object"},
}
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)
_Defs = dict[str, dict[str, Any]]


def json_key(field: Field[Any]) -> str:
    """The key of a field: a trailing ``_`` is dropped."""
    return field.name.rstrip("_")


@cache
def _hints(kind: Hashable) -> Mapping[str, Any]:
    return MappingProxyType(get_type_hints(kind, include_extras=True))


@cache
def left_out(kind: Hashable) -> frozenset[str]:
    """Fields of a class that a report does not have where they are empty."""
    return frozenset(n for n, hint in _hints(kind).items() if LEFT_OUT in get_args(hint)[1:])


def report_schema() -> dict[str, Any]:
    """What a JSON report is: that of a plan, or why there is none."""
    return _schema(SCHEMA, "What mcuplan says of a model on a target.", Budget, Undecided)


def joint_schema() -> dict[str, Any]:
    """What the report of several models in one image is."""
    return _schema(JOINT_SCHEMA, "What mcuplan says of several models in one image.", JointBudget)


def fit_schema() -> dict[str, Any]:
    """What `mcuplan fit` found, as JSON."""
    return _schema(FIT_SCHEMA, "What makes a model fit, or that nothing in the list does.", Fit)


def _schema(title: str, description: str, *kinds: Any) -> dict[str, Any]:
    defs: _Defs = {}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": f"{description} Sizes are bytes and exact where no origin says otherwise.",
        "oneOf": [_object(kind, defs) for kind in kinds],
        "$defs": dict(sorted(defs.items())),
    }


def schema_text(schema: Mapping[str, Any] | None = None) -> str:
    """A schema, by default that of a report, as it is shipped."""
    return json.dumps(schema or report_schema(), indent=2, ensure_ascii=True) + "\n"


def _object(kind: Any, defs: _Defs) -> dict[str, Any]:
    text, _, attributes = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")
    says = {name: _line(words) for name, words in _ATTRIBUTE.findall(attributes)}
    properties = {}
    for field in fields(kind):
        found = _kind(_hints(kind)[field.name], defs)
        about = {"description": says[field.name]} if field.name in says else {}
        properties[json_key(field)] = about | found
    return {
        "description": _line(text),
        "type": "object",
        "additionalProperties": False,
        "required": [json_key(f) for f in fields(kind) if f.name not in left_out(kind)],
        "properties": properties,
    }


def _kind(kind: Any, defs: _Defs) -> dict[str, Any]:
    args = get_args(kind)
    if get_origin(kind) is Annotated:
        if LEFT_OUT in args:  # instead of being null
            kinds = get_args(args[0]) if type(None) in get_args(args[0]) else args[:1]
            return _kind(kinds[0], defs)
        limits = _kind(args[0], defs) | dict(args[1])
        return {key: _plain(limit) for key, limit in limits.items() if limit is not None}
    if get_origin(kind) is Literal:
        return {"const": args[0]} if len(args) == 1 else {"enum": list(args)}
    if get_origin(kind) in (UnionType, Union):
        return {"anyOf": [_kind(one, defs) for one in args]}
    if get_origin(kind) is tuple:
        count = {} if args[-1] is ... else {"minItems": len(args), "maxItems": len(args)}
        return {"type": "array", "items": _kind(args[0], defs)} | count
    if is_dataclass(kind):
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()  # type: ignore[union-attr]
        if name not in defs:
            defs[name] = _object(kind, defs)
        return {"$ref": f"#/$defs/{name}"}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    return dict(_SIMPLE[get_origin(kind) or kind])


def _plain(limit: Any) -> Any:
    return list(limit) if isinstance(limit, tuple) else limit


def _line(text: str) -> str:
    """Words of a docstring in one line."""
    return re.sub(r"\s+", " ", text).strip().replace("``", "")
