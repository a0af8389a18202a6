# SPDX-License-Identifier: Apache-2.0
"""What `mcuplan fit` does with a model: options in, a record out; nothing is written or printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mcuplan import __version__, pipeline
from mcuplan.commands import limits_of
from mcuplan.exporter.onnx import as_placeholder, to_onnx
from mcuplan.importer import Form
from mcuplan.options.asked import request_of, without_library
from mcuplan.passes.template import AS_IT_IS
from mcuplan.progress import SILENT, Voice
from mcuplan.record import FIT_SCHEMA, Fit, Limits, Request, Status
from mcuplan.tradeoff import check_samples
from mcuplan.ways import Candidate, Judge, searched

__all__ = ["Fitted", "fit", "rechecked"]

_Options = Mapping[str, Any]
_OF_FIT = ("output", "form", "quiet", "time_limit", "max_loss")  # no options of check, or not here
_OF_FILES = ("dims", "cuts", "calibration", "window", "hop", "columns", "preprocess", "observers")


@dataclass(frozen=True, slots=True)
class Fitted:
    """What makes a model fit, and that model where it is another one."""

    report: Fit
    model: Any
    request: Request
    limits: Limits


def fit(
    model: Path,
    options: _Options,
    given: Mapping[str, tuple[str, ...]],
    output: Path | None,
    voice: Voice = SILENT,
) -> Fitted:
    """What makes a model fit, and the command that shows it.

    Args:
        model: the file.
        options: of `fitting`.
        given: words of the options that were given, by parameter.
        output: where a model of another form is to lie.
        voice: who listens.
    """
    without_library(options, "fit")
    limits, most = limits_of({**options, "failing": ()}), options["max_loss"]
    asks = request_of(model, {**options, "max_loss": None}, voice)
    if most is not None:
        check_samples(asks)
    planned = pipeline.plan(asks, sizes_only=True)
    sought = searched(planned, limits, most, voice.until(options["time_limit"]))
    found = sought.found
    command: tuple[str, ...] = ()
    if found is not None:
        command = _command(model, given, found, ())
    report = Fit(
        schema=FIT_SCHEMA,
        tool_version=__version__,
        model=model.name,
        target=planned.request.target.name,
        status=sought.status.value,
        command=command,
        needs=found.needs if found is not None else None,
        tried=sought.tried,
        refuted=sought.refuted,
    )
    if output is None or found is None or found.request.template == AS_IT_IS:
        return Fitted(report, None, asks, limits)
    form = planned.model.form
    report = replace(report, command=_command(output, given, _alone(found), _OF_FILES))
    of_file = replace(
        found.request, model=output, template=AS_IT_IS, dims={}, cuts=(), calibration=None
    )
    return Fitted(report, _template(found, form), of_file, limits)


def _template(found: Candidate, form: Form) -> Any:
    """The model of another form, which says that it is one."""
    _, graph = pipeline.simplify(found.request)
    made = to_onnx(graph, qdq=form is not Form.FLOAT32, standard=True)
    return as_placeholder(made, ", ".join(found.request.template.changes))


def _alone(found: Candidate) -> Candidate:
    """Without the options that a file of its own needs no more."""
    kept = tuple(option for option in found.options if not option.startswith("--reshape"))
    return replace(found, options=kept)


def _command(
    model: Path, given: Mapping[str, tuple[str, ...]], found: Candidate, without: tuple[str, ...]
) -> tuple[str, ...]:
    """The words of `check` that ask for what was found."""
    anew = {option.split(" ", 1)[0] for option in found.options}
    words = [
        word
        for name, each in given.items()
        if name not in (*_OF_FIT, *without) and each[0] not in anew - {"--weight-dtype"}
        for word in each
    ]
    added = (word for option in found.options for word in option.split(" ", 1))
    return ("mcuplan", "check", str(model), *words, *added)


def rechecked(made: Fitted, output: Path) -> Fitted:
    """The verdict of the model that was written, read again; what it takes stands last."""
    planned = pipeline.plan(made.request, sizes_only=True)
    judge = Judge(planned, made.limits)
    report, last = made.report, made.report.tried[-1]
    now = replace(judge.now, options=last.options, needs=last.needs)
    status = Status.FITS if now.fits else Status.OVER
    tried = (*report.tried[:-1], now)
    return replace(made, report=replace(report, tried=tried, status=status.value))
