# SPDX-License-Identifier: Apache-2.0
"""What a run of the compiled code showed, in few words."""

from __future__ import annotations

from mcuplan.record import LayerRow, OutputError, Verification
from mcuplan.safe_text import plain

__all__ = ["classes_of", "noise_cells", "noise_figures", "noise_of"]

_SHOWN = 4
_SAMPLES = 10
_NONE = "no noise"


def noise_of(run: Verification) -> str:
    """Signal to noise of every output, and that it is that; empty where the run has none."""
    figures, several = noise_figures(run), len(run.outputs) > 1
    if not figures or figures == _NONE:
        return figures
    return f"signal to noise{':' if several else ''} {figures}"


def noise_figures(run: Verification) -> str:
    """The figures of every output alone."""
    outputs = run.outputs
    if all(output.sqnr_db is None for output in outputs):
        return _NONE if outputs else ""
    if len(outputs) == 1:
        return _said(outputs[0])
    shown = [f"{plain(output.name)} {_said(output)}" for output in outputs[:_SHOWN]]
    more = len(outputs) - _SHOWN
    return "; ".join(shown) + (f" and {more} more" if more > 0 else "")


def _said(output: OutputError) -> str:
    whole = _decibels(output.sqnr_db)
    noisy = [channel for channel in output.channels if channel.sqnr_db is not None]
    if not noisy:
        return whole
    worst = min(noisy, key=lambda channel: channel.sqnr_db or 0.0)
    return f"{whole} (channel {worst.index}: {_decibels(worst.sqnr_db)})"


def _decibels(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1f} dB"


def classes_of(run: Verification) -> list[str]:
    """What single classes and samples show, for those who want it all."""
    said = []
    classes = run.accuracy.classes if run.accuracy is not None else None
    if classes is not None:
        worst = next(each for each in classes.recalls if each.index == classes.worst)
        said += [
            f"F1 of the model {classes.f1_float:.4g}, of the code {classes.f1_integer:.4g}",
            f"worst class {worst.index}: recall {worst.integer:.4g} of {worst.samples:,} samples"
            f" ({worst.float_:.4g} of the model)",
        ]
        if classes.auc_float is not None and classes.auc_integer is not None:
            said.append(f"AUC {classes.auc_float:.4g} and {classes.auc_integer:.4g}")
    if run.changed:
        few = ", ".join(map(str, run.changed[:_SAMPLES]))
        more = len(run.changed) - _SAMPLES
        said.append(f"other decision on samples {few}" + (f" and {more} more" if more > 0 else ""))
    return said


def noise_cells(row: LayerRow) -> list[str]:
    """Signal to noise of a layer, that alone, and percent of saturated values; or blanks."""
    if row.noise is None:
        return ["", "", ""]
    both = ("-" if db is None else f"{db:.1f}" for db in (row.noise.sqnr_db, row.noise.alone_db))
    return [*both, f"{100 * row.noise.saturated:.2f}" if row.noise.saturated else ""]
