# SPDX-License-Identifier: Apache-2.0
"""Commands that take a model: check, plan, quantize, generate, verify."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcuplan.cli import _options
from mcuplan.cli._console import Outputs, log, progress, reported
from mcuplan.cli._files import check_writable, write_file, write_tree
from mcuplan.cli._options import MODEL, outputs_of
from mcuplan.cli._request import quantizing, request_of
from mcuplan.cli._values import FILE
from mcuplan.errors import UsageError

if TYPE_CHECKING:
    from mcuplan.record import Against, Budget, Evidence, Limits, Planned, TypePoint
    from mcuplan.repair import Repaired
    from mcuplan.schedule.explore.variants import Explored

__all__ = ["COMMANDS"]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Everything about a run but its model: limits and where the report goes."""

    limits: Limits
    baseline: Against | None
    outputs: Outputs


def _asked(options: dict[str, Any]) -> _Asked:
    from mcuplan.budget import read_report
    from mcuplan.record import Against, Limits

    limits = Limits(
        max_ram=options["max_ram"],
        max_flash=options["max_flash"],
        max_latency_s=options["max_latency"],
        max_row_latency_s=options["max_row_latency"],
    )
    file = options.pop("baseline")
    baseline = Against(file.name, read_report(file)) if file is not None else None
    return _Asked(limits, baseline, outputs_of(options))


def _default_name(model: Path, given: str | None) -> str:
    """Prefix of the C names: asked for, else the file's name, else its folder's."""
    if given:
        return given
    stem = model.name.removesuffix(".onnx")
    return model.resolve().parent.name if stem.startswith("model") else stem


def _report(
    command: str,
    asked: _Asked,
    planned: Planned,
    evidence: Evidence | None = None,
    explored: Explored | None = None,
) -> Budget:
    from mcuplan.budget import assess
    from mcuplan.schedule.explore.variants import NOTHING

    others = explored or NOTHING
    return assess(planned, asked.limits, evidence, asked.baseline, others, command=command)


@click.command()
@MODEL
@_options.modelling
@_options.budgets
@_options.reporting
@click.option("--build", is_flag=True, help="Compile, and measure code and stack.")
@click.option(
    "--frontier",
    is_flag=True,
    help="Compare plans with int4 weights or int16 activations of some layers: loss, flash, RAM,"
    " cycles.",
)
def check(model: Path, build: bool, frontier: bool, **options: Any) -> int:
    """Does the model fit? Bytes, cycles, a verdict; needs no compiler."""

    def make() -> Budget:
        from mcuplan.schedule.explore.variants import Explored, less_ram
        from mcuplan.tradeoff import check_samples, plan_within

        asks = request_of(model, options)
        if frontier:
            check_samples(asks)
        planned, types = plan_within(asks, asked.limits, sizes_only=True)
        evidence = None
        if build:
            from mcuplan.prove.verification import measure

            evidence = measure(planned, _default_name(model, options["name"]))
        else:
            evidence = _kept(model, planned)
        types = types or (_types(planned, asked) if frontier else ())
        explored = Explored(types=types, less_ram=less_ram(planned))
        return _report("check", asked, planned, evidence, explored)

    asked = _asked(options)
    return reported("check", str(model), asked.outputs, make)


@click.command()
@MODEL
@_options.modelling
@_options.budgets
@_options.reporting
@click.option(
    "--frontier",
    is_flag=True,
    help="Price recompute in column tiles: least RAM against MACs; code is not generated. With"
    " calibration data also other types of some layers, as check does.",
)
def plan(model: Path, frontier: bool, **options: Any) -> int:
    """Execution order, arena map and every layer."""

    def make() -> Budget:
        from mcuplan.schedule.explore.variants import (
            Explored,
            frontier_of,
            input_arenas,
            less_ram,
            levels_of,
        )
        from mcuplan.tradeoff import plan_within

        asks = request_of(model, options)
        planned, types = plan_within(asks, asked.limits, sizes_only=True)
        if frontier and not types and _has_samples(planned):
            types = _types(planned, asked)
        kept = _kept(model, planned)
        explored = Explored(
            levels_of(planned),
            input_arenas(planned),
            frontier_of(planned) if frontier else (),
            types,
            less_ram(planned),
        )
        return _report("plan", asked, planned, kept, explored)

    asked = _asked(options)
    return reported("plan", str(model), asked.outputs, make)


def _has_samples(planned: Planned) -> bool:
    return planned.calibration is not None and not planned.random_ranges


def _types(planned: Planned, asked: _Asked) -> tuple[TypePoint, ...]:
    from mcuplan.tradeoff import type_frontier

    return type_frontier(planned, asked.limits)


@click.command()
@MODEL
@_options.ranging
@click.option("--output", "-o", type=FILE, required=True, help="QDQ model to write.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def quantize(model: Path, output: Path, quiet: bool, **options: Any) -> int:
    """Write the integer model as QDQ ONNX that any runtime loads."""
    from mcuplan import pipeline
    from mcuplan.exporter.onnx import to_onnx
    from mcuplan.targets import load_target

    check_writable(output, model)
    request = quantizing(model, load_target("cortex-m4"), options)  # no target has a say in grids
    _, floating = pipeline.simplify(request)
    found = pipeline.quantize(request, floating)
    made = to_onnx(found.grids.graph, qdq=True, standard=True)
    write_file(output, made.SerializeToString(deterministic=True))
    if not quiet:
        _say_grids(output.name, found, closing=request.close_gaps)
    return 0


def _say_grids(name: str, found: Repaired, *, closing: bool) -> None:
    """Where the grids of a quantized model come from, and what they cost."""
    from mcuplan.budget.islands import island_findings
    from mcuplan.budget.quantization import quantization_findings
    from mcuplan.words import RANDOM_RANGES

    seen = found.calibrated
    log(f"{name}: {f'ranges of {seen.samples:,} samples' if seen else 'grids as given'}")
    if seen is not None and seen.data.random:
        log(f"note: {RANDOM_RANGES}")
    real = seen is None or not seen.data.random
    notes = found.grids.graph.notes
    islands = island_findings(notes, closing=closing)
    for finding in (*islands, *quantization_findings(found.grids, seen, real_ranges=real)):
        log(f"{finding.severity}[{finding.code}]: {finding.message}")


@click.command()
@MODEL
@_options.modelling
@_options.budgets
@_options.reporting
@click.option("--output", "-o", type=FILE, required=True, help="Folder for the code.")
def generate(model: Path, output: Path, **options: Any) -> int:
    """Write C sources, header and report."""

    def make() -> Budget:
        from mcuplan import pipeline
        from mcuplan.report import render
        from mcuplan.schedule.explore.variants import Explored
        from mcuplan.tradeoff import plan_within

        planned, types = plan_within(request_of(model, options), asked.limits)
        bundle = pipeline.generate(planned, _default_name(model, options["name"]))
        kept, explored = _kept(model, planned), Explored(types=types)
        budget = _report("generate", asked, planned, kept, explored)
        files = {Path(name): text.encode("utf-8") for name, text in bundle.files.items()}
        files[Path(f"{bundle.name}.report.json")] = render("json", budget).encode("utf-8")
        write_tree(output, files)
        if asked.outputs.verbosity >= 0:
            log(f"{len(files)} files in {output}: {bundle.name}.h, {bundle.name}.c, mplan/, ...")
        return budget

    if os.path.exists(output) and not os.path.isdir(output):
        raise UsageError("is no folder", str(output), "give a folder for the generated files")
    asked = _asked(options)
    return reported("generate", str(model), asked.outputs, make)


def _kept(model: Path, planned: Planned) -> Evidence | None:
    """What an earlier ``verify`` measured of the very same plan."""
    from mcuplan.kept import recall

    return recall(model, planned)


@click.command()
@MODEL
@_options.modelling
@_options.budgets
@_options.reporting
@click.option(
    "--inputs", type=FILE, metavar="DATA", help="Inputs to run, as those of --calibration."
)
@click.option(
    "--on",
    "places",
    type=click.Choice(["host", "emulator"]),
    multiple=True,
    help="Where to run; both unless given.",
)
@click.option(
    "--samples", type=click.IntRange(1), help="Samples to run on the emulator.", default=3
)
@_options.min_sqnr
@click.option("--save/--no-save", default=True, help="Leave the report beside the model.")
def verify(
    model: Path,
    inputs: Path | None,
    places: tuple[str, ...],
    samples: int,
    min_sqnr: float,
    save: bool,
    **options: Any,
) -> int:
    """Build, run, compare every output byte, and measure."""

    def make() -> Budget:
        from mcuplan.kept import keep_report, kept_report
        from mcuplan.prove.verification import Wanted
        from mcuplan.prove.verification import verify as run
        from mcuplan.schedule.explore.variants import Explored
        from mcuplan.tradeoff import plan_within

        planned, types = plan_within(request_of(model, options), asked.limits)
        request = planned.request
        where = places or ("host", "emulator")
        wanted = Wanted(_default_name(model, options["name"]), inputs, where, samples, min_sqnr)
        say = progress(asked.outputs)
        try:
            evidence = run(planned, request, wanted, say)
        finally:
            say("")
        budget = _report("verify", asked, planned, evidence, Explored(types=types))
        if save and evidence.build is not None:
            _leave(kept_report(model, request.target.name), keep_report(budget, planned))
        return budget

    asked = _asked(options)
    return reported("verify", str(model), asked.outputs, make)


def _leave(path: Path, report: bytes) -> None:
    """Write the report beside the model where that is possible."""
    try:
        write_file(path, report)
    except UsageError as error:
        log(f"{path.name}: {error.message}; later reports will model code and stack")


COMMANDS = (check, plan, quantize, generate, verify)
