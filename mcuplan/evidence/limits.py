# SPDX-License-Identifier: Apache-2.0
"""What the evidence does not show."""

from __future__ import annotations

from mcuplan.record import Budget

__all__ = ["limits_text"]

_LIMITS = (
    "Cycles are modelled from counts on an emulator, with the error that was measured; they are no "
    "proof of a worst-case execution time. Interrupts, DMA, caches and flash shared with other "
    "code come on top. Measure on the board.",
    "The emulator executes instructions as the architecture defines them; errata of a chip are not "
    "in it.",
    "The stack bound is that of the inference calls of this build, without interrupts and without "
    "the caller's frames. Another compiler or other flags give another image: build with those of "
    "`report.json`, or make the evidence anew.",
    "Structural coverage is of C statements and branches, compiled at -O0. It is not MC/DC. "
    "Functions of assembly alone are not counted; they are compared with the portable kernels byte "
    "for byte.",
    "Layers with a state that were made for coverage are run and not compared; those of the model "
    "are.",
    "On this computer the portable kernels run, which give the same bytes as those of the target; "
    "the target's own run on the emulator.",
    "MISRA C:2012 is checked as far as cppcheck decides it. Directives, and rules that it does not "
    "cover, are not checked; assembly is not C.",
    "Agreement with a runtime says how far integers are off the model's real values on the given "
    "data, and nothing about other data or about whether the model is fit for its purpose.",
    "Ranges, where they were observed, are those of the given calibration data; values outside are "
    "clipped.",
    "Tools are not qualified: neither mcuplan nor gcc, gcov, QEMU or cppcheck.",
)


def limits_text(report: Budget) -> str:
    """Known limits, and what the report of this model warns of."""
    found = [f"- `{f.code}` ({f.severity}): {_line(f.message)}" for f in report.verdict.findings]
    return "\n".join(
        [
            "# Known limits\n",
            *(f"- {limit}" for limit in _LIMITS),
            "\n# Findings of this model\n",
            *(found or ["- none"]),
            "",
        ]
    )


def _line(text: str) -> str:
    return " ".join(text.replace("`", "'").split())
