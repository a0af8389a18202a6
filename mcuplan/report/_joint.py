# SPDX-License-Identifier: Apache-2.0
"""The report of several models in one image, for people and for machines."""

from __future__ import annotations

from mcuplan.record import Baseline
from mcuplan.record.joint import JointBudget
from mcuplan.report._format import Look
from mcuplan.report._memory import headline, region_lines, sum_lines
from mcuplan.report._text import clip, finding_lines, summary, table
from mcuplan.report.json import dumped
from mcuplan.safe_text import plain
from mcuplan.units import counted, format_bytes, format_si

__all__ = ["JOINT_FORMATS", "render_joint"]

JOINT_FORMATS = ("text", "json")


def render_joint(name: str, joint: JointBudget, look: Look | None = None) -> str:
    """The report in one format, ending with a newline."""
    return dumped(joint) if name == "json" else _text(joint, look or Look())


def _text(joint: JointBudget, look: Look) -> str:
    bills = joint.ram, joint.flash
    blocks = [_head(joint), headline(joint.verdict, *bills, look)]
    blocks.append(region_lines(joint.regions, *bills))
    blocks.append([*sum_lines(joint.regions, *bills, look), *_saved(joint, look)])
    blocks += [_models(joint), _since(joint.baseline, look)]
    blocks += [_proof(joint, look), _findings(joint, look)]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(joint: JointBudget) -> list[str]:
    target = joint.target
    generic = "   (generic)" if target.generic else ""
    clock = f"{target.core}   {format_si(target.clock_hz, 'Hz')}{generic}"
    return table(
        [[joint.name, counted(len(joint.models), "model")], [target.name, clock]], (), "   "
    )


def _saved(joint: JointBudget, look: Look) -> list[str]:
    """What sharing is worth."""
    ram, flash = format_bytes(joint.saved_ram_bytes), format_bytes(joint.saved_flash_bytes)
    text = f"{ram} of RAM and {flash} of flash less than the models apart"
    return look.wrap(text, " shared ", "        ")


def _models(joint: JointBudget) -> list[str]:
    """Each model, and what it would take alone; a letter for those that share an arena."""
    letters = {
        name: chr(ord("A") + number % 26)
        for number, group in enumerate(g for g in joint.groups if len(g) > 1)
        for name in group
    }
    rows = [["model", "arena B", "stack B", "constants B", "alone RAM B", "flash B", ""]]
    for model in joint.models:
        constants = model.weights_bytes + model.tables_bytes
        numbers = model.arena_bytes, model.stack_bytes, constants
        alone = model.ram_bytes, model.flash_bytes
        letter = letters.get(model.name)
        shared = f"shares {letter}" if letter else "own"
        cells = [f"{number:,}" for number in (*numbers, *alone)]
        rows.append([clip(plain(model.name), 22), *cells, shared])
    return [f" {line}" for line in table(rows, (1, 2, 3, 4, 5))]


def _since(baseline: Baseline | None, look: Look) -> list[str]:
    """What grew, in all and of each model."""
    if baseline is None:
        return []
    file = clip(look.plain(baseline.file), 32)
    lines = [f" since {file}   RAM {baseline.ram_delta:+,} B   flash {baseline.flash_delta:+,} B"]
    for model in baseline.layers:
        lines += look.wrap(plain(f"{model.name}: {model.because}"), "   ", "     ")
    return lines


def _proof(joint: JointBudget, look: Look) -> list[str]:
    lines = []
    if joint.build is not None:
        built = plain(f"linked together with {joint.build.compiler} {joint.build.flags}")
        lines += look.wrap(built, " ", "   ")
    if joint.proof is not None:
        elf = "ELF agrees with the plan" if joint.proof.elf_agrees else "ELF DRIFTS"
        equal = "equal to the reference" if joint.proof.equal_to_reference else "DIFFERS"
        text = f"emulator {joint.proof.core}: all models in turn, twice, {equal}, {elf}"
        lines += look.wrap(text, " ", "   ")
    return lines


def _findings(joint: JointBudget, look: Look) -> list[str]:
    found = joint.verdict.findings
    lines = [
        line
        for finding in found
        for line in finding_lines(finding, unicode=look.unicode, indent=" ", width=look.width)
    ]
    return [*lines, "", f" {summary(found)}   more: mcuplan explain CODE"] if found else []
