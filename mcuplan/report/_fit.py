# SPDX-License-Identifier: Apache-2.0
"""What `mcuplan fit` found: the verdict and what it costs, what was tried, the command."""

from __future__ import annotations

import json
import shlex

from mcuplan.record import Fit, Needs, Way
from mcuplan.report._advice import way_rows
from mcuplan.report._format import Look
from mcuplan.report._text import table, wrap
from mcuplan.report.json import as_plain
from mcuplan.safe_text import plain
from mcuplan.units import counted

__all__ = ["fit_json", "fit_text"]

_COSTS = {
    Needs.NOTHING: "FITS with options alone: no calibration, no training",
    Needs.RECALIBRATION: "FITS with other types or fewer channels, which samples are to calibrate",
    Needs.RETRAINING: "FITS ONCE TRAINED: a model of another form, weights here are placeholders",
}


def fit_json(fit: Fit) -> str:
    """The record as it is."""
    return json.dumps(as_plain(fit), indent=2, ensure_ascii=True) + "\n"


def fit_text(fit: Fit) -> str:
    """In a terminal, 80 columns."""
    lines = [f"{plain(fit.model)} on {plain(fit.target)}", "", *wrap(_verdict(fit), " ", "   "), ""]
    rows = way_rows(fit.tried, Look())
    lines += [f" {line}".rstrip() for line in table(rows, tuple(range(2, len(rows[0]) - 1)), " ")]
    bounds: dict[str, list[str]] = {}
    for each in fit.refuted:
        bounds.setdefault(each.because, []).append(" ".join(each.options) or "this model")
    lines += [""] if bounds else []
    for because, forms in bounds.items():
        more = f" and {counted(len(forms) - 1, 'more form')}" if len(forms) > 1 else ""
        lines += wrap(plain(f"never {forms[0]}{more}: {because}"), " ", "     ")
    if fit.command:
        lines += ["", f" {plain(shlex.join(fit.command))}"]
    return "\n".join(lines) + "\n"


def _verdict(fit: Fit) -> str:
    """What fits and what it costs, or that nothing does."""
    plans = f"{counted(len(fit.tried), 'plan')} over a budget"
    if fit.status == "over":
        bounds = f", {len(fit.refuted):,} forms by a bound" if fit.refuted else ""
        return f"NOTHING IN THE LIST FITS: {plans}{bounds}"
    if fit.needs is None:
        return f"NOT DECIDED: {plans}; --time-limit S for more"
    if len(fit.tried) == 1:
        return "FITS as asked for"
    return f"{_COSTS[fit.needs]}; {_price(fit.tried[0], fit.tried[-1])}"


def _price(before: Way, after: Way) -> str:
    """What changed."""
    ram, flash = (after.ram_bytes - before.ram_bytes, after.flash_bytes - before.flash_bytes)
    cycles = 100 * (after.cycles / max(1, before.cycles) - 1)
    lost = "" if after.loss is None else f", {after.measure} {after.loss:.2f} %"
    unknown = after.needs is not Needs.NOTHING and after.loss is None
    lost += ", what answers lose is not known" if unknown else ""
    return f"RAM {ram:+,} B, flash {flash:+,} B, cycles {cycles:+.1f} %{lost}"
