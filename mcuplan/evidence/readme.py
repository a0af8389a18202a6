# SPDX-License-Identifier: Apache-2.0
"""What each file of the folder is, and what they say in short."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from mcuplan.evidence.texts import table
from mcuplan.record import Budget

__all__ = ["readme_text"]

_ABOUT = (
    ("model/", "the model as it was given, with files of its tensors"),
    ("data/", "calibration data, inputs, target file, as they were given"),
    ("arguments.json", "the options; `mcuplan reproduce .` makes everything else from them again"),
    ("report.json", "verdict, memory map, layers, latency, proofs: `mcuplan.report/1`"),
    ("report.md", "the same for people"),
    ("plan.json", "steps, kernels and runs of rows `[step, first, end)` in their order"),
    (
        "sources/",
        "the generated code, the kernels that it calls, their bill of materials",
    ),
    ("semantics.json", "operators: sections of ONNX, and what the C code computes"),
    ("semantics.md", "the same for people"),
    ("trace.json", "layer -> function -> address -> bytes, from the linked image"),
    ("trace.csv", "the same as a table"),
    ("bounds.json", "stack, loop counts of every kernel call, cycles as modelled"),
    ("coverage.json", "statements and branches reached, and every line that is not"),
    ("coverage.md", "the same for people"),
    ("misra.json", "findings of MISRA C:2012 and the deviations that accept them"),
    ("misra.md", "the same for people"),
    ("limits.md", "what all this does not show"),
    ("tools.json", "versions of the tools"),
    ("SHA256SUMS", "hashes of all other files: `sha256sum -c SHA256SUMS`"),
)


def readme_text(files: Collection[PurePosixPath], report: Budget, gaps: Sequence[str]) -> str:
    """The page to begin with."""
    there = {f"{path.parts[0]}/" if len(path.parts) > 1 else path.name for path in files}
    rows = [row for row in _ABOUT if row[0] in there | {"SHA256SUMS"}]
    model, target = report.model, report.target
    facts = [
        ("model", f"{model.name}, sha256 {model.sha256}"),
        ("target", f"{target.name} ({target.core})"),
        ("verdict", str(report.verdict.status)),
        ("RAM", f"{report.ram.total_bytes:,} B"),
        ("flash", f"{report.flash.total_bytes:,} B"),
        ("open questions", "; ".join(gaps) or "none"),
    ]
    return "\n".join(
        [
            "# Evidence\n",
            "Made by mcuplan from the model and the data in this folder, byte for byte the same "
            "wherever it is made with the same tools.\n",
            table(("", ""), facts),
            "| file | what it is |\n| --- | --- |",
            *(f"| `{name}` | {what} |" for name, what in rows),
            "",
        ]
    )
