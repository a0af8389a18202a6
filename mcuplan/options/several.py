# SPDX-License-Identifier: Apache-2.0
"""Options of several models at once: names that do not collide, groups, and data of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcuplan.errors import McuplanError, Problems, UsageError
from mcuplan.safe_text import apart, c_prefix

if TYPE_CHECKING:
    from mcuplan.emit import Bundle

__all__ = ["Several", "check_states", "named", "said_of"]

_DATA = "--calibration DATA"  # of one model, in hints


@dataclass(frozen=True, slots=True)
class Several:
    """What each model is called and calibrated on, and which share an arena.

    ``groups``: names of models that never run at the same time; every model is in one.
    """

    name: str
    names: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    calibrations: tuple[str | None, ...]


def named(
    models: Sequence[Path], wanted: Sequence[str], options: Mapping[str, Any], folder: str
) -> Several:
    """C prefixes of models, none of which begins another's, and what options say by name.

    Args:
        models: files, by which options may name them, too.
        wanted: what each would be called alone.
        options: of ``bundle``.
        folder: name of the folder that is written, which all of them are called by.

    Raises:
        UsageError: an option names no model, or one model twice.
    """
    *names, name = apart([*wanted, options["name"] or folder])
    known = {c_prefix(one): mine for one, mine in _unambiguous(wanted, names)}
    known |= {str(model): mine for model, mine in zip(models, names, strict=True)}
    known |= {mine: mine for mine in names}
    groups = _groups(options["exclusive"], names, known)
    return Several(name, tuple(names), groups, _calibrations(options, names, known))


def _unambiguous(wanted: Sequence[str], names: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Names as they were wanted that only one model has."""
    for one, mine in zip(wanted, names, strict=True):
        if sum(c_prefix(other) == c_prefix(one) for other in wanted) == 1:
            yield one, mine


def _groups(
    given: Sequence[str], names: Sequence[str], known: Mapping[str, str]
) -> tuple[tuple[str, ...], ...]:
    """Groups as given, then those of one model each, in the order of the models."""
    groups: list[tuple[str, ...]] = []
    for text in given:
        group = tuple(_model(part.strip(), known, "--exclusive") for part in text.split(","))
        for name in group:
            if (*group, *(one for other in groups for one in other)).count(name) > 1:
                hint = "each model in one group, once"
                raise UsageError(f"{name} is named twice", "--exclusive", hint)
        groups.append(group)
    grouped = {name for group in groups for name in group}
    return (*groups, *((name,) for name in names if name not in grouped))


def _calibrations(
    options: Mapping[str, Any], names: Sequence[str], known: Mapping[str, str]
) -> tuple[str | None, ...]:
    """Data of each model: its own, else that of all others."""
    found: dict[str, str] = {}
    for text in options["calibrations"]:
        stem, sign, data = text.partition("=")
        name = known[stem] if sign and stem in known else ""
        if found.setdefault(name, data if name else text) != (data if name else text):
            who = name or "all models"
            hint = f"NAME=DATA, NAME one of {', '.join(names)}"
            raise UsageError(f"two calibrations of {who}", "--calibration", hint)
    return tuple(found.get(name, found.get("")) for name in names)


def _model(text: str, known: Mapping[str, str], option: str) -> str:
    if text not in known:
        hint = f"models are {', '.join(dict.fromkeys(known.values()))}"
        raise UsageError(f"no model {text!r}", option, hint)
    return known[text]


@contextmanager
def said_of(name: str) -> Iterator[None]:
    """Whatever is wrong is said of a model by its name.

    Raises:
        McuplanError, Problems: what is raised inside.
    """
    try:
        yield
    except (McuplanError, Problems) as error:
        for one in error.errors if isinstance(error, Problems) else (error,):
            one.where = f"{name}: {one.where}" if one.where else name
            one.hint = one.hint.replace(_DATA, f"--calibration {name}=DATA")
        raise


def check_states(bundles: Sequence[Bundle], groups: Sequence[Sequence[str]]) -> None:
    """Raise where a state would lie in bytes that another model overwrites between its calls.

    Raises:
        UsageError: a model with a state shares an arena.
    """
    for bundle in bundles:
        group = next(group for group in groups if bundle.name in group)
        if bundle.states and len(group) > 1:
            what = f"{bundle.name} keeps a state from call to call, and shares no arena"
            hint = "leave it out; or --state none, where it begins anew with every call"
            raise UsageError(what, "--exclusive", hint)
