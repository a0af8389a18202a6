# SPDX-License-Identifier: Apache-2.0
"""Figures as OpenMetrics text, which GitLab compares in merge requests and Prometheus reads.

Source: OpenMetrics 1.0, "Text format": label values escape backslash, quote and end of line.
"""

from __future__ import annotations

from mcuplan.record import Budget, Undecided
from mcuplan.report._format import Format, Look
from mcuplan.safe_text import plain

__all__ = ["FORMAT"]


def _decided(budget: Budget, look: Look) -> str:
    ram, flash, latency = budget.ram, budget.flash, budget.latency
    figures = {
        "ram_bytes": ram.total_bytes,
        "ram_budget_bytes": ram.budget_bytes,
        "arena_bytes": ram.arena_bytes,
        "stack_bytes": ram.stack_bytes,
        "flash_bytes": flash.total_bytes,
        "flash_budget_bytes": flash.budget_bytes,
        "weights_bytes": flash.weights_bytes,
        "code_bytes": flash.code_bytes,
        "cycles": latency.cycles,
        "latency_seconds": float(f"{latency.seconds:.6g}"),
        "macs": budget.model.macs,
    }
    return _text(budget.model.name, budget.target.name, figures, budget)


def _undecided(report: Undecided, look: Look) -> str:
    return _text(report.model.name, "", {}, report)


def _text(model: str, target: str, figures: dict[str, float], report: Budget | Undecided) -> str:
    labels = f'model="{_label(model)}"' + (f',target="{_label(target)}"' if target else "")
    fits = {"fits": int(report.verdict.status.value == "fits")}
    lines = []
    for name, value in {**fits, **figures}.items():
        lines += [f"# TYPE mcuplan_{name} gauge", f"mcuplan_{name}{{{labels}}} {value}"]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _label(text: str) -> str:
    return plain(text, unicode=True).replace("\\", "\\\\").replace('"', '\\"')


FORMAT = Format("metrics", _decided, _undecided)
