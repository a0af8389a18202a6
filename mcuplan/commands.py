# SPDX-License-Identifier: Apache-2.0
"""What a command does with a model: options in, a report out; nothing is written or printed.

The command line and the functions of :mod:`mcuplan` both come this way. Options are those of
:mod:`mcuplan.options`, converted and complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mcuplan import kept, pipeline
from mcuplan.budget import (
    Member,
    assess,
    assess_joint,
    judged,
    judged_jointly,
    read_report,
    with_growth,
    with_joint_growth,
)
from mcuplan.budget.footprint import naive_map
from mcuplan.emit import Bundle
from mcuplan.emit.joint import joined
from mcuplan.errors import McuplanError, Problems, UsageError
from mcuplan.exporter.onnx import to_onnx
from mcuplan.options import several
from mcuplan.options.asked import quantizing, request_of, with_backend, without_library
from mcuplan.packages import folder, joint_product, product_of
from mcuplan.passes.near_dead import silenced_on_grids
from mcuplan.progress import SILENT, Voice
from mcuplan.prove.joint import prove_joint
from mcuplan.prove.verification import Wanted, measure
from mcuplan.prove.verification import verify as run
from mcuplan.record import (
    SCHEMA,
    Advice,
    Against,
    Budget,
    Evidence,
    Limits,
    Planned,
    Request,
    TypePoint,
)
from mcuplan.record.joint import JOINT_SCHEMA, JointBudget
from mcuplan.repair import Repaired
from mcuplan.report import render, render_joint
from mcuplan.schedule.explore.variants import (
    NOTHING,
    Explored,
    frontier_of,
    input_arenas,
    levels_of,
    naive_of,
)
from mcuplan.targets import load_target
from mcuplan.tradeoff import check_samples, plan_within, type_frontier
from mcuplan.ways import advised, at_hand, in_blocks

__all__ = [
    "Bundled",
    "Generated",
    "Quantized",
    "Verified",
    "bundle",
    "check",
    "check_targets",
    "generate",
    "limits_of",
    "plan",
    "quantize",
    "verify",
]

_Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Generated:
    """C sources and their report.

    Attributes:
        name: prefix of all generated names.
        files: bytes by name, which may have folders in it.
    """

    name: str
    report: Budget
    files: Mapping[Path, bytes]


@dataclass(frozen=True, slots=True)
class Quantized:
    """An integer model as QDQ ONNX, where its grids come from, and what was compared."""

    model: Any
    found: Repaired
    types: tuple[TypePoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Verified:
    """A report with its proofs, and what is left of it beside the model; empty: nothing."""

    report: Budget
    kept: bytes
    place: Path


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a report is measured by, and what it says beside that.

    ``words``: the command that asks for it; ``naive``: with the map that nobody planned.
    """

    limits: Limits
    baseline: Against | None
    words: tuple[str, ...] = ()
    naive: bool = False


def limits_of(options: _Options) -> Limits:
    """Budgets of the user, and what fails beside them."""
    return Limits(
        max_ram=options["max_ram"],
        max_flash=options["max_flash"],
        max_latency_s=options["max_latency"],
        max_row_latency_s=options["max_row_latency"],
        warn_at=options["warn_at"],
        growth=_growth_allowed(options["failing"]),
        strict="warning" in dict(options["failing"]),
    )


def _asked(options: _Options, schema: str = SCHEMA) -> _Asked:
    file = options["baseline"]
    if file is None and "growth" in dict(options["failing"]):
        what = "--fail-on growth: there is nothing to grow against"
        raise UsageError(what, "", "--baseline REPORT.json of the version before")
    baseline = Against(file.name, read_report(file, schema)) if file is not None else None
    return _Asked(
        limits_of(options), baseline, options.get("asked", ()), options.get("naive", False)
    )


def _growth_allowed(failing: Sequence[tuple[str, int]]) -> int | None:
    """Bytes by which RAM or flash may grow; None: as they like.

    Raises:
        UsageError: two numbers are given.
    """
    allowed = {size for what, size in failing if what == "growth"}
    if len(allowed) > 1:
        raise UsageError("two numbers of bytes", "--fail-on growth", "one of them")
    return next(iter(allowed), None if "budget" in dict(failing) else 0)


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
    explored: Explored = NOTHING,
) -> Budget:
    budget = assess(planned, asked.limits, evidence, explored, command=command)
    naive = naive_map(naive_of(planned)) if asked.naive else None
    budget = replace(budget, asked=asked.words, naive=naive)
    if asked.baseline is not None:
        budget = with_growth(budget, asked.baseline, asked.limits.growth)
    return judged(budget, asked.limits)


def check(model: Path, options: _Options, voice: Voice = SILENT) -> Budget:
    """Whether a model fits."""
    return _Checking(model, options, voice)(options["target"])


def check_targets(
    model: Path, targets: Sequence[str], options: _Options, voice: Voice = SILENT
) -> Iterator[tuple[str, Budget | McuplanError | Problems]]:
    """What :func:`check` says of each target, in order, or what it raises.

    The model is read, and put on grids, once.
    """
    checking = _Checking(model, options, voice)
    for target in targets:
        found: Budget | McuplanError | Problems
        try:
            found = checking(target)
        except (McuplanError, Problems) as error:
            found = error
        yield target, found


@dataclass(slots=True)
class _Checking:
    """Checks of one model with the same options, for any target; ``begun`` by the first."""

    model: Path
    options: _Options
    voice: Voice
    begun: pipeline.Begun | McuplanError | Problems | None = None

    def __call__(self, target: str | None) -> Budget:
        options, model = {**self.options, "target": target}, self.model
        asked, asks = _asked(options), request_of(model, options, self.voice)
        if options["frontier"]:
            check_samples(asks)
        begun = self._begun(asks)
        planned, types = plan_within(asks, asked.limits, sizes_only=True, begun=begun)
        name = _default_name(model, options["name"])
        evidence = measure(planned, name) if options["build"] else kept.recall(model, planned)
        types = types or (_types(planned, asked) if options["frontier"] else ())
        explored = Explored(
            types=types,
            advice=_advice(planned, asked, options, self.voice),
            blocks=in_blocks(planned, asked.limits),
        )
        return _report("check", asked, planned, evidence, explored)

    def _begun(self, asks: Request) -> pipeline.Begun:
        if self.begun is None:
            try:
                self.begun = pipeline.begin(asks, sizes_only=True)
            except (McuplanError, Problems) as error:
                self.begun = error
        if isinstance(self.begun, McuplanError | Problems):
            raise self.begun
        return self.begun


def plan(model: Path, options: _Options, voice: Voice = SILENT) -> Budget:
    """Order, addresses, and what other plans would take."""
    asked, asks = _asked(options), request_of(model, options, voice)
    planned, types = plan_within(asks, asked.limits, sizes_only=True)
    frontier = options["frontier"]
    if frontier and not types and _has_samples(planned):
        types = _types(planned, asked)
    explored = Explored(
        levels_of(planned),
        input_arenas(planned),
        frontier_of(planned) if frontier else (),
        types,
        _advice(planned, asked, options, voice),
        in_blocks(planned, asked.limits),
    )
    return _report("plan", asked, planned, kept.recall(model, planned), explored)


def _advice(planned: Planned, asked: _Asked, options: _Options, voice: Voice) -> Advice | None:
    """Ways to fit: all of them where they are asked for, else those at hand."""
    if not options["advice"]:
        return at_hand(planned, asked.limits)
    return advised(planned, asked.limits, voice.until(options["time_limit"]))


def _has_samples(planned: Planned) -> bool:
    return planned.calibration is not None and not planned.random_ranges


def _types(planned: Planned, asked: _Asked) -> tuple[TypePoint, ...]:
    return type_frontier(planned, asked.limits)


def quantize(model: Path, options: _Options, voice: Voice = SILENT) -> Quantized:
    """The integer model; with a limit, of the types that the best plan within it has."""
    limits = Limits(options["max_ram"], options["max_flash"], options["max_latency"])
    allowed, widens = options["max_loss"], options["dtype"] == "auto"
    if widens and allowed is None:
        what = "--dtype auto: nothing says how far outputs may be off the float model"
        raise UsageError(what, "", "--max-loss 1%")
    target = with_backend(load_target(options["target"] or "cortex-m4"), "auto")
    request = quantizing(model, target, options, voice)
    if allowed is None and limits == Limits():
        _, floating = pipeline.simplify(request)
        found = pipeline.quantize(request, floating)
        return Quantized(to_onnx(found.grids.graph, qdq=True, standard=True), found)
    request = replace(
        request,
        max_loss=None if widens else allowed,
        objective=options["objective"],
        ram_limit=limits.max_ram,
        flash_limit=limits.max_flash,
        latency_limit_s=limits.max_latency_s,
    )
    check_samples(request)
    widen_to = allowed if widens else None
    planned, types = plan_within(request, limits, compare=True, widen_to=widen_to)
    found = Repaired(planned.floating, planned.calibration, planned.grids)
    graph = silenced_on_grids(planned.grids.graph, planned.removal.whole, planned.trimmed.silent)
    return Quantized(to_onnx(graph, qdq=True, standard=True), found, types)


def generate(model: Path, options: _Options, voice: Voice = SILENT) -> Generated:
    """C sources, header and report."""
    asked = _asked(options)
    planned, types = plan_within(request_of(model, options, voice), asked.limits)
    bundle = pipeline.generate(planned, _default_name(model, options["name"]))
    packages = [name for group in options["packages"] for name in group]
    made = folder(product_of(planned, bundle, example=bool(packages)), packages)
    evidence = kept.recall(model, planned)
    budget = _report("generate", asked, planned, evidence, Explored(types=types))
    files = {Path(name): text.encode("utf-8") for name, text in made.items()}
    files[Path(f"{bundle.name}.report.json")] = render("json", budget).encode("utf-8")
    return Generated(bundle.name, budget, files)


@dataclass(frozen=True, slots=True)
class Bundled:
    """C sources of several models, and their report together; ``files`` has that of each, too."""

    name: str
    report: JointBudget
    files: Mapping[Path, bytes]


def bundle(
    models: Sequence[Path], folder_name: str, options: _Options, voice: Voice = SILENT
) -> Bundled:
    """Several models in one image: kernels once, and arenas that models share."""
    if options["build"]:
        without_library(options, "bundle --build")
    wanted = several.named(models, [_default_name(m, None) for m in models], options, folder_name)
    together, members, bundles = _asked(options, JOINT_SCHEMA), list[Member](), list[Bundle]()
    asked = _asked({**options, "baseline": None, "failing": ()})
    for model, name, data in zip(models, wanted.names, wanted.calibrations, strict=True):
        own = {**options, "calibration": data, "baseline": None, "failing": ()}
        with several.said_of(name):
            planned, types = plan_within(request_of(model, own, voice), asked.limits)
        bundles.append(pipeline.generate(planned, name))
        evidence = measure(planned, name) if options["build"] else None
        report = _report("bundle", asked, planned, evidence, Explored(types=types))
        members.append(Member(name, planned, report))
    several.check_states(bundles, wanted.groups)
    joint = joined(wanted.name, bundles, wanted.groups, members[0].budget.target.name)
    packages = [name for group in options["packages"] for name in group]
    plans, example = [member.planned for member in members], bool(packages or options["build"])
    product = joint_product(joint, plans, example=example)
    run_all = prove_joint(joint, product) if options["build"] else None
    figures = (run_all.build, (run_all.proof, run_all.findings)) if run_all is not None else ()
    report_of_all = assess_joint(wanted.name, members, wanted.groups, asked.limits, *figures)
    if together.baseline is not None:
        allowed = together.limits.growth
        report_of_all = with_joint_growth(report_of_all, together.baseline, allowed)
    report_of_all = judged_jointly(report_of_all, together.limits)
    files = {Path(path): text.encode() for path, text in folder(product, packages).items()}
    for member in members:
        files[Path(f"{member.name}.report.json")] = render("json", member.budget).encode()
    files[Path(f"{wanted.name}.report.json")] = render_joint("json", report_of_all).encode()
    return Bundled(wanted.name, report_of_all, files)


def verify(model: Path, options: _Options, voice: Voice = SILENT) -> Verified:
    """Build, run, compare every output byte, and measure."""
    asked = _asked(options)
    planned, types = plan_within(request_of(model, options, voice), asked.limits)
    request = planned.request
    wanted = Wanted(
        _default_name(model, options["name"]),
        options["inputs"],
        options["places"] or ("host", "emulator"),
        options["samples"],
        options["min_sqnr"],
    )
    try:
        evidence = run(planned, request, wanted, voice.at)
    finally:
        voice.at("")
    budget = _report("verify", asked, planned, evidence, Explored(types=types))
    left = kept.keep_report(budget, planned) if evidence.build is not None else b""
    return Verified(budget, left, kept.kept_report(model, request.target.name))
