# SPDX-License-Identifier: Apache-2.0
"""What runs of the code showed: every run, the error of every layer, the worst samples."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from mcuplan.record import Budget, LayerRow, Verification
from mcuplan.report._chart import LEFT, RIGHT, WIDTH, across, box, label, round_up
from mcuplan.report._markup import canvas, draw
from mcuplan.report._proof import classes_of, noise_figures
from mcuplan.report.html.part import Part, layer_names

__all__ = ["proof"]

_TOP, _HIGH, _BELOW = 44, 150, 40
_TICKS = 4
_NONE = 120.0  # dB that a bar without any noise is drawn for
_Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Error:
    """What the bars of a plot are: a figure of every layer, what it is and its unit."""

    values: dict[int, float]
    text: str
    unit: str


def proof(budget: Budget) -> Part | None:
    """None where nothing was run and nothing observed."""
    seen = budget.calibration
    if not budget.verification and seen is None:
        return None
    values = {
        "runs": [(_title(run), _facts(run)) for run in budget.verification],
        "plots": [_plot(budget, error) for error in _errors(budget)],
        "calibration": _calibration(budget),
        "trials": seen.trials if seen is not None else (),
        "repairs": seen.repairs if seen is not None else (),
    }
    return Part("verification", "Verification", "proof.html", values)


def _title(run: Verification) -> str:
    return f"{run.on} {run.core}" if run.on != run.core else run.on


def _facts(run: Verification) -> list[_Pair]:
    same = "every byte equal to the reference" if run.equal_to_reference else "DIFFERS"
    facts = [("samples", f"{run.samples:,}"), ("integer code", same)]
    if run.first_diverging_layer is not None:
        facts.append(("first layer that differs", run.first_diverging_layer))
    if run.max_lsb is not None:
        share = "" if run.exact_share is None else f", {100 * run.exact_share:.4g} % exact"
        facts.append(("end to end against the runtime", f"at most {run.max_lsb} LSB{share}"))
    if run.layer_max_lsb is not None:
        facts.append(("worst layer, fed with the runtime's input", f"{run.layer_max_lsb} LSB"))
    if run.top1_agreement is not None:
        facts.append(("same decision as the runtime", f"{100 * run.top1_agreement:.4g} %"))
    if run.ties:
        facts.append(("ties of the largest score: the first counts", f"{run.ties:,}"))
    if run.accuracy is not None:
        real = "" if run.accuracy.float_ is None else f" ({run.accuracy.float_:.4g} of the model)"
        facts.append((run.accuracy.metric, f"{run.accuracy.integer:.4g}{real}"))
    noise = noise_figures(run)
    facts += [("signal to noise", noise)] if noise else []
    facts += [("classes and samples", text) for text in classes_of(run)]
    if run.worst:
        said = (f"{each.sample} ({each.steps:.3g} steps)" for each in run.worst)
        facts.append(("worst samples, steps of the output's grid", ", ".join(said)))
    if run.elf is not None:
        agrees = "equal to the plan" if run.elf.agrees else "DIFFERS from the plan"
        facts.append(("linked image", agrees))
    if run.stack is not None:
        used = "not seen" if run.stack.measured_bytes is None else f"{run.stack.measured_bytes:,} B"
        facts.append(("stack", f"at most {run.stack.bound_bytes:,} B, {used} used"))
    counts = (("instructions", run.instructions), ("cycles of the core", run.cycles))
    return facts + [(word, f"{count:,}") for word, count in counts if count is not None]


def _errors(budget: Budget) -> list[_Error]:
    """Plots that there is something to show in."""

    def collected(kind: str, unit: str, of: list[tuple[LayerRow, float | None]]) -> _Error:
        return _Error({row.index: value for row, value in of if value is not None}, kind, unit)

    rows = budget.layers
    noisy = [row for row in rows if row.noise is not None]
    plots = [
        collected(
            "largest difference from the runtime, with its own inputs",
            "LSB",
            [(row, row.max_lsb) for row in rows],
        ),
        collected(
            "signal to noise against the float model, errors of earlier layers included",
            "dB",
            [
                (row, _NONE if row.noise.sqnr_db is None else row.noise.sqnr_db)
                for row in noisy
                if row.noise
            ],
        ),
        collected(
            "relative error against the float model",
            "%",
            [
                (row, None if row.error is None else 100 * row.error)
                for row in rows
                if row.noise is None
            ],
        ),
    ]
    return [plot for plot in plots if plot.values]


def _plot(budget: Budget, error: _Error) -> Element:
    steps, top = max(1, len(budget.layers)), max(1.0, *error.values.values()) * 1.1
    image = canvas(WIDTH, _TOP + _HIGH + _BELOW, {"role": "img", "aria-label": error.text})
    label(image, LEFT, 16, f"{error.text}, {error.unit}", "head")
    base, names = _TOP + _HIGH, layer_names(budget)
    apart = round_up(top / _TICKS)
    for value in range(0, int(top) + 1, apart):
        y = base - _HIGH * value / top
        across(image, "grid", y)
        label(image, LEFT - 6, y + 4, f"{value:,}", "faint", "end")
    wide = (RIGHT - LEFT) / steps
    every = round_up(steps / 20)
    for index, figure in error.values.items():
        group = draw(image, "g", {"class": "tile"})
        draw(group, "title", {}, f"step {index} {names[index]}: {figure:.4g} {error.unit}")
        high = _HIGH * max(0.0, figure) / top
        box(group, "io", (LEFT + wide * index + wide / 10, base - high, wide * 0.8, high))
    for index in range(0, steps, every):
        label(image, LEFT + wide * (index + 0.5), base + 15, str(index), "faint", "middle")
    label(image, (LEFT + RIGHT) / 2, base + 32, "step", "faint", "middle")
    return image


def _calibration(budget: Budget) -> list[_Pair]:
    seen = budget.calibration
    if seen is None:
        return []
    facts = [("ranges", f"{seen.samples:,} samples, observer {seen.observer}")]
    facts += [("held back", f"{seen.held_back:,} samples")] if seen.held_back else []
    if seen.gain_db is not None:
        facts.append(("gain of the observer over minmax", f"{seen.gain_db:.1f} dB"))
    if seen.loss is not None:
        loss = seen.loss
        said = f"{loss.before:.2f} % before, {loss.after:.2f} % after, {loss.allowed:g} % allowed"
        facts.append((f"loss ({loss.measure})", said))
    return facts
