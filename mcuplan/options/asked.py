# SPDX-License-Identifier: Apache-2.0
"""From options to what is asked of the pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcuplan.errors import UsageError
from mcuplan.options import pairs
from mcuplan.progress import SILENT, Voice

if TYPE_CHECKING:
    from mcuplan.ir.graph import Graph
    from mcuplan.record import Request
    from mcuplan.targets import Target

__all__ = ["quantizing", "request_of", "with_backend", "without_library"]


def request_of(model: Path, options: Mapping[str, Any], voice: Voice = SILENT) -> Request:
    """What the options of ``modelling`` and ``budgets`` ask for.

    Raises:
        UsageError: options that do not go together.
    """
    from mcuplan.passes.template import Template
    from mcuplan.schedule.program import Sharing
    from mcuplan.targets import load_target

    if options["target"] is None:
        hint = "--target nucleo-l4r5zi, or `mcuplan targets list`"
        raise UsageError("no target is given", "", hint)
    if options["max_row_latency"] is not None and options["streaming"] != "input":
        raise UsageError("--max-row-latency: no rows are fed", "", "--streaming input")
    after = options["dump_after"]
    limits = pairs.regions_of(options["region_limits"])
    target = limited(load_target(options["target"]), limits)
    target = with_backend(target, options["backend"])
    return replace(
        quantizing(model, target, options, voice),
        io_layout=options["io_layout"],
        keep_dead=options["keep_dead_channels"],
        max_loss=options["max_loss"],
        sharing=Sharing(
            keep_inputs=options["keep_input"],
            keep_outputs=options["keep_output"],
        ),
        template=Template.of(options.get("changes", ())),
        effort=options["effort"],
        region_limits=limits,
        ram_limit=options["max_ram"],
        flash_limit=options["max_flash"],
        latency_limit_s=options["max_latency"],
        row_limit_s=options["max_row_latency"],
        objective=options["objective"],
        streaming=options["streaming"],
        dump_after=_dumper(after, voice) if after else None,
        library=options.get("library"),
    )


def quantizing(
    model: Path, target: Target, options: Mapping[str, Any], voice: Voice = SILENT
) -> Request:
    """What the options of ``ranging`` ask for."""
    from mcuplan.calibrate import Preprocess, Reading, Windows
    from mcuplan.ir.types import DType
    from mcuplan.record import Request

    windows = Windows(options["window"], options["hop"], options["columns"] or ())
    data = options["calibration"]
    return Request(
        model=model,
        target=target,
        dims=pairs.dims_of(options["dims"]),
        cuts=tuple(options["cuts"]),
        dtype=DType.INT8 if options["dtype"] == "auto" else DType.named(options["dtype"]),
        real_layers=pairs.layers_of(options["layer_dtypes"], "float32"),
        wide_layers=pairs.layers_of(options["layer_dtypes"], "int16"),
        states=tuple(options["states"]),
        calibration=Path(data) if data not in (None, "random") else None,
        random_calibration=data == "random",
        reading=Reading(windows, options["preprocess"] or Preprocess()),
        bar=voice.bar,
        observers=pairs.observers_of(options["observers"]),
        headroom=options["headroom"],
        quantize_effort=options["quantize_effort"],
        repairs=pairs.repairs_of(options["repairs"], options["no_repairs"]),
        weight_dtypes=pairs.weights_of(options["weight_dtypes"]),
        weight_block=options["weight_block"],
        close_gaps=options["close_gaps"],
        input_ranges=_ranges(options["input_ranges"]),
    )


def _ranges(
    given: Sequence[tuple[str, tuple[float, float]]],
) -> dict[str, tuple[float, float]]:
    """Stated ranges by input.

    Raises:
        UsageError: one input has two.
    """
    found: dict[str, tuple[float, float]] = {}
    for name, ends in given:
        if found.setdefault(name, ends) != ends:
            who = f"input {name!r}" if name else "the input"
            raise UsageError(f"two ranges for {who}", "--input-range", "state one")
    return found


def limited(target: Target, limits: Mapping[str, int]) -> Target:
    """The target as one whose memories hold no more than is allowed.

    Raises:
        UsageError: it has no memory of that name.
    """
    names = [region.name for region in target.regions]
    for name in limits:
        if name not in names:
            what = f"{target.name} has no memory {name!r}"
            raise UsageError(what, "--max-region", f"one of {', '.join(names)}")
    regions = []
    for region in target.regions:
        beyond = region.bytes - limits.get(region.name, region.bytes)
        regions.append(replace(region, reserved_bytes=max(region.reserved_bytes, beyond)))
    return replace(target, regions=tuple(regions))


def with_backend(target: Target, asked: str) -> Target:
    """The target with the kernel set asked for, or all that its core runs."""
    from mcuplan.backends import backend_kernels

    names = ("auto", "c99", *backend_kernels())
    if asked not in names:
        raise UsageError(f"no backend named {asked}", "--backend", f"one of {', '.join(names)}")
    has = {*target.features, asked}  # a library is there where it is asked for
    if asked in backend_kernels() and not any(k.requires <= has for k in backend_kernels()[asked]):
        what = f"{target.name} ({target.core}) runs no kernel of {asked}"
        raise UsageError(what, "--backend", "--backend c99")
    return replace(target, backend=asked)


def without_library(options: Mapping[str, Any], what: str) -> None:
    """What is done with code that is all ours.

    Raises:
        UsageError: kernels are asked for that call a library of the user's.
    """
    from mcuplan.backends import library_of

    name = library_of(options["backend"])
    if name:
        hint = "check --build and verify take --cmsis-nn DIR"
        raise UsageError(f"{what}: kernels call {name}, whose sources are yours", "--backend", hint)


def _dumper(wanted: str, voice: Voice) -> Any:
    """Says the graph whenever the pass ``wanted`` changed something."""
    from mcuplan.ir.text import dump
    from mcuplan.passes import PIPELINE

    names = [*(apply.__name__ for apply in PIPELINE), "remove_dead_channels"]
    if wanted not in names:
        raise UsageError(f"no pass named {wanted}", "--dump-after", f"one of {', '.join(names)}")

    def show(name: str, graph: Graph) -> None:
        if name == wanted:
            voice.log(dump(graph).rstrip("\n"))

    return show
