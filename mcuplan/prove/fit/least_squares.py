# SPDX-License-Identifier: Apache-2.0
"""Constants >= 0 that follow from counts, and how far they are off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mcuplan.ir.types import Array
from mcuplan.prove.bench import Row

__all__ = ["constants_table", "errors", "fit", "nonnegative"]


def fit(rows: Sequence[Row]) -> Mapping[str, float]:
    """Cycles >= 0 of each part of a kernel that least miss the measured ones, relatively.

    Non-negative least squares by the active sets of Lawson and Hanson, 1974, chapter 23.
    """
    parts = [p for p in dict.fromkeys(p for r in rows for p in r.parts) if _varies(rows, p)]
    measured = np.array([row.cycles for row in rows], float)
    counts = np.array([[row.parts.get(part, 0.0) for part in parts] for row in rows])
    weighted = counts / measured[:, None]
    scale = weighted.max(axis=0)
    found = nonnegative(weighted / scale, np.ones(len(rows))) / scale
    return {p: round(float(x), 3) for p, x in zip(parts, found, strict=True) if x >= 0.0005}


def _varies(rows: Sequence[Row], part: str) -> bool:
    return any(row.parts.get(part, 0.0) > 0 for row in rows)


def nonnegative(a: Array, b: Array) -> Array:
    """What x >= 0 makes ``a @ x`` least miss ``b``."""
    x = np.zeros(a.shape[1])
    free = np.zeros(a.shape[1], bool)
    for _ in range(20 * a.shape[1]):
        gain = a.T @ (b - a @ x)
        gain[free] = -np.inf
        if free.all() or gain.max() <= 1e-9:
            break
        free[int(gain.argmax())] = True
        while True:
            trial = np.zeros_like(x)
            trial[free] = np.linalg.lstsq(a[:, free], b, rcond=None)[0]
            if not free.any() or trial[free].min() > 0:
                break
            bad = free & (trial <= 0)
            step = float((x[bad] / (x[bad] - trial[bad])).min())
            x = x + step * (trial - x)
            free &= x > 1e-12
            x[~free] = 0.0
        x = trial
    return x


def errors(rows: Sequence[Row], cycles: Mapping[str, float]) -> list[float]:
    """How far the model is off, as a share of what was measured."""
    modelled = [sum(cycles.get(p, 0.0) * n for p, n in row.parts.items()) for row in rows]
    return [abs(m / row.cycles - 1) for m, row in zip(modelled, rows, strict=True) if row.cycles]


def constants_table(name: str, rows: Sequence[Row], known: Mapping[str, float]) -> str:
    """A table of TOML: the constants of ``rows``, ``known`` ones where no row tells, errors."""
    fitted = {**known, **fit(rows)}
    missed = errors(rows, fitted)
    listed = ", ".join(f"{part} = {value}" for part, value in fitted.items())
    worst, mean = max(missed) + 0.0005, sum(missed) / len(missed) + 0.0005
    text = f"[{name}]\ncycles = {{ {listed} }}\nmax_error = {worst:.3f}\n"
    return f"{text}mean_error = {mean:.3f}\n"
