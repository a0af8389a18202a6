# SPDX-License-Identifier: Apache-2.0
"""What a run of the compiled code showed, in few words."""

from __future__ import annotations

from mcuplan.record import OutputError, Verification
from mcuplan.safe_text import plain

__all__ = ["noise_of"]

_SHOWN = 4


def noise_of(run: Verification) -> str:
    """Signal to noise of every output; empty where the run has none."""
    if not run.outputs:
        return ""
    if len(run.outputs) == 1:
        return f"signal to noise {_said(run.outputs[0])}"
    shown = [f"{plain(output.name)} {_said(output)}" for output in run.outputs[:_SHOWN]]
    more = len(run.outputs) - _SHOWN
    return f"signal to noise: {'; '.join(shown)}" + (f" and {more} more" if more > 0 else "")


def _said(output: OutputError) -> str:
    whole = _decibels(output.sqnr_db)
    noisy = [channel for channel in output.channels if channel.sqnr_db is not None]
    if not noisy:
        return whole
    worst = min(noisy, key=lambda channel: channel.sqnr_db or 0.0)
    return f"{whole} (channel {worst.index}: {_decibels(worst.sqnr_db)})"


def _decibels(value: float | None) -> str:
    return "no noise" if value is None else f"{value:.1f} dB"
