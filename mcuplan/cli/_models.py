# SPDX-License-Identifier: Apache-2.0
"""Commands that take a model: check, plan, quantize, generate, verify."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcuplan.cli._console import bar, log, reported, voice_of
from mcuplan.cli._files import check_apart, check_folder, check_writable, write_file, write_tree
from mcuplan.cli._given import Asking, OfModel
from mcuplan.cli._reporting import outputs_of, reporting
from mcuplan.errors import UsageError
from mcuplan.options import MODEL, checking, generating, planning, ranging, verifying
from mcuplan.options.values import FILE
from mcuplan.progress import Voice

if TYPE_CHECKING:
    from mcuplan.record import Budget, TypePoint
    from mcuplan.repair import Repaired

__all__ = ["COMMANDS"]


@click.command(cls=Asking)
@MODEL
@checking
@reporting
def check(model: Path, **options: Any) -> int:
    """Does the model fit? Bytes, cycles, a verdict; no compiler."""

    def make() -> Budget:
        from mcuplan import commands

        return commands.check(model, options, voice_of(outputs))

    outputs = outputs_of(options)
    return reported("check", str(model), outputs, make)


@click.command(cls=Asking)
@MODEL
@planning
@reporting
def plan(model: Path, **options: Any) -> int:
    """Execution order, arena map and every layer."""

    def make() -> Budget:
        from mcuplan import commands

        return commands.plan(model, options, voice_of(outputs))

    outputs = outputs_of(options)
    return reported("plan", str(model), outputs, make)


@click.command(cls=OfModel)
@MODEL
@ranging
@click.option("--output", "-o", type=FILE, required=True, help="QDQ model to write.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def quantize(model: Path, output: Path, quiet: bool, **options: Any) -> int:
    """Write the integer model as QDQ ONNX that any runtime loads.

    Flash, RAM and cycles are those on --target, by default cortex-m4.
    """
    from mcuplan import commands

    check_writable(output)
    made = commands.quantize(model, options, Voice(log, bar=bar(quiet=quiet)))
    write_file(output, made.model.SerializeToString(deterministic=True))
    if not quiet:
        _say_grids(output.name, made.found, closing=options["close_gaps"])
        _say_types(made.types, widens=options["dtype"] == "auto")
    return 0


def _say_grids(name: str, found: Repaired, *, closing: bool) -> None:
    """Where the grids of a quantized model come from, and what they cost."""
    from mcuplan.budget.islands import island_findings
    from mcuplan.budget.quantization import quantization_findings
    from mcuplan.words import RANDOM_RANGES, note

    seen = found.calibrated
    log(f"{name}: {f'ranges of {seen.samples:,} samples' if seen else 'grids as given'}")
    if seen is not None and seen.data.random:
        log(f"note: {RANDOM_RANGES}")
    for fact in seen.data.notes if seen is not None else ():
        log(f"note: {note(fact)}")
    real = seen is None or not seen.data.random
    notes = found.grids.graph.notes
    islands = island_findings(notes, closing=closing)
    for finding in (*islands, *quantization_findings(found.grids, seen, real_ranges=real)):
        log(f"{finding.severity}[{finding.code}]: {finding.message}")


def _say_types(points: Sequence[TypePoint], *, widens: bool) -> None:
    """What was compared, and what was taken of it.

    ``widens``: a limit of what is lost counts from the float model.
    """
    from mcuplan.report import loss_of, type_table
    from mcuplan.safe_text import arguments

    for line in type_table(points):
        log(line)
    if points:
        log(f" {loss_of(points, widens=widens)}")
    taken = next((point for point in points if point.taken), None)
    if points and taken is None:
        log("warning[quant/types]: nothing is within the limits; written as it was asked for")
    elif taken is not None:
        log(f"note[quant/types]: taken: {arguments(taken.options) or 'as it was asked for'}")
        if taken.in_proportion is not None:
            most = f"{taken.in_proportion:g} times the cycles as asked for"
            log(f"  about the least flash for at most {most}, and the RAM that the target has")
            log("  hint: --max-latency, --max-ram: how much of these it may take")


@click.command(cls=Asking)
@MODEL
@generating
@reporting
@click.option("--output", "-o", type=FILE, required=True, help="Folder for the code.")
def generate(model: Path, output: Path, **options: Any) -> int:
    """Write C sources, header and report."""

    def make() -> Budget:
        from mcuplan import commands

        made = commands.generate(model, options, voice_of(outputs))
        write_tree(output, made.files)
        if outputs.verbosity >= 0:
            log(f"{len(made.files)} files in {output}: {made.name}.h, {made.name}.c, mplan/, ...")
        return made.report

    check_folder(output)
    outputs = outputs_of(options)
    return reported("generate", str(model), outputs, make)


@click.command(cls=Asking)
@MODEL
@verifying
@reporting
@click.option("--save/--no-save", default=True, help="Leave the report beside the model.")
def verify(model: Path, save: bool, **options: Any) -> int:
    """Build, run, compare every output byte, and measure."""

    def make() -> Budget:
        from mcuplan import commands

        made = commands.verify(model, options, voice_of(outputs))
        if save and made.kept:
            _leave(made.place, made.kept)
        return made.report

    outputs = outputs_of(options)
    return reported("verify", str(model), outputs, make)


def _leave(path: Path, report: bytes) -> None:
    """Write the report beside the model where that is possible."""
    try:
        check_apart(path, kept=False)
        write_file(path, report)
    except UsageError as error:
        log(f"{path.name}: {error.message}; later reports will model code and stack")


COMMANDS = (check, plan, quantize, generate, verify)
