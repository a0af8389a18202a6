# SPDX-License-Identifier: Apache-2.0
"""What can be asked of a model: options of commands and functions, with types and defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from mcuplan.options.forms import advice, library, no_repair, repair, reshape, time_limit
from mcuplan.options.values import (
    BLOCK,
    COLUMNS,
    DIM,
    FAIL_ON,
    FILE,
    LAYER,
    OBSERVER,
    PACKAGE,
    PACKAGES,
    PERCENT,
    PREPROCESS,
    RANGE,
    REGION,
    ROWS,
    SIZE,
    STATE,
    TIME,
    WEIGHTS,
    Factor,
)

__all__ = [
    "MODEL",
    "backend",
    "bundling",
    "checking",
    "cut_output",
    "dim",
    "evidencing",
    "fitting",
    "generating",
    "option",
    "planning",
    "ranging",
    "stack",
    "target",
    "verifying",
]

F = TypeVar("F", bound=Callable[..., Any])


MODEL = click.argument("model", type=FILE)


def stack(options: Sequence[Callable[[F], F]]) -> Callable[[F], F]:
    """Several options as one, in their order."""

    def decorate(function: F) -> F:
        for each in reversed(options):
            function = each(function)
        return function

    return decorate


def option(name: str, *more: str, **settings: Any) -> Callable[[F], F]:
    """An option that also reads its environment variable, MCUPLAN_MAX_RAM for --max-ram."""
    variable = f"MCUPLAN_{name.lstrip('-').replace('-', '_').upper()}"
    return click.option(name, *more, envvar=variable, **settings)


def _targets(ctx: click.Context, param: click.Parameter, begun: str) -> list[str]:
    """Names of targets that begin so, for shells that complete."""
    from mcuplan.targets import list_targets

    return [name for name in list_targets() if name.startswith(begun)]


target = option(
    "--target",
    "-t",
    shell_complete=_targets,
    help="Chip, board or file: see `mcuplan targets list`.",
)
dim = option(
    "--dim",
    "dims",
    type=DIM,
    multiple=True,
    help="Fix an open dimension, by name or as INPUT:AXIS=N.",
)
cut_output = click.option(
    "--cut-output",
    "cuts",
    metavar="TENSOR",
    multiple=True,
    help="End the model at this tensor: it becomes an output.",
)
state = click.option(
    "--state",
    "states",
    type=STATE,
    multiple=True,
    help="A state, as IN=OUT: the next call finds in IN what this one leaves in OUT. By default "
    "those whose names and shapes say so (h and hn, cache_in and cache_out); none: no state.",
)
layer_dtype = click.option(
    "--layer-dtype",
    "layer_dtypes",
    type=LAYER,
    multiple=True,
    help="Compute a layer of an int8 model in another type: NAME=int16 (activations of 16 bits) or "
    "NAME=float32.",
)
weight_dtype = option(
    "--weight-dtype",
    "weight_dtypes",
    type=WEIGHTS,
    multiple=True,
    help="Weights of 4 bits, int4: of all layers, or NAME=int4 of one; NAME=int8 takes one out. Of "
    "activations of 16 bits weights have 16, too, or 8 or 4.",
)
weight_block = option(
    "--weight-block",
    type=BLOCK,
    help="Weights of 4 bits that share a scale: so many along the inputs (ONNX' block_size, e.g. "
    "32); by default all of an output channel. Layers of fewer inputs keep that.",
)
calibration = option(
    "--calibration",
    metavar="DATA",
    help="Inputs to observe ranges on: an .npz file, a folder of .npy, a table (.csv) or images "
    "(PNG, JPEG; a folder for each class), or `random` (result not for use).",
)
observer = option(
    "--observer",
    "--calibration-method",
    "observers",
    type=OBSERVER,
    multiple=True,
    help="How ranges follow from the inputs: minmax (default), moving-average, percentile or "
    "percentile:99.9, mse, entropy; auto keeps the best on inputs held back. NAME=OBSERVER: of one "
    "tensor or layer.",
)
window = option("--window", type=ROWS, help="Rows of a table in one sample.")
hop = option("--hop", type=ROWS, help="Rows from one window to the next; a window by default.")
columns = option("--columns", type=COLUMNS, help="Columns of a table, by name or from 1.")
preprocess = option(
    "--preprocess",
    type=PREPROCESS,
    help="Images to inputs, (pixel - mean) * scale: size=96x96, layout=nchw, order=bgr, mean=128, "
    "scale=1/255, filter=nearest; one value or R:G:B. Of tables mean and scale.",
)
headroom = option(
    "--headroom",
    type=Factor(0.5, 16.0),
    default=None,
    help="Factor by which observed ranges are widened where no Clip or the like bounds them; by "
    "default 1.2 of up to 32 values in a sample, less of more.",
)
quantize_effort = option(
    "--quantize-effort",
    type=click.Choice(["fast", "normal", "best"]),
    default="fast",
    show_default=True,
    help="What is done about the error of the grids: nothing; equalized channels and corrected"
    " biases; also fitted weights and ranges, in minutes.",
)
input_range = option(
    "--input-range",
    "input_ranges",
    type=RANGE,
    multiple=True,
    help="Values an input can take; NAME= may be left out of a model with one input.",
)
close_gaps = option(
    "--close-gaps",
    is_flag=True,
    help="Put what a quantized model does not round on grids, too, instead of computing it in "
    "float32: within the limits that grids around set, or as the samples of --calibration show.",
)
io_layout = option(
    "--io-layout",
    type=click.Choice(["model", "nhwc"]),
    default="model",
    show_default=True,
    help="Order of axes at the C boundary; nhwc drops a leading Transpose.",
)
keep_dead_channels = option(
    "--keep-dead-channels", is_flag=True, help="Leave channels that no output depends on."
)
max_loss = option(
    "--max-loss",
    type=PERCENT,
    help="What outputs may lose, e.g. 1%, so that channels go which readers hardly see, and layers"
    " take other types where a limit is missed else: points of the score that labels in the"
    " calibration data ask for, else relative output error.",
)
name = option("--name", metavar="C_PREFIX", help="Prefix of generated names.")
effort = option(
    "--effort",
    type=click.Choice(["fast", "normal", "thorough"]),
    default="normal",
    show_default=True,
    help="How long to look for the best order; fast: the first plan that fits.",
)
keep_input = option("--keep-input", is_flag=True, help="Inputs stay as they are in a call.")
keep_output = option(
    "--keep-output", is_flag=True, help="Outputs stay until the next call makes them anew."
)
backend = option(
    "--backend", default="auto", show_default=True, help="One kernel set beside c99, or all."
)
_RANGES = (
    calibration,
    window,
    hop,
    columns,
    preprocess,
    observer,
    headroom,
    quantize_effort,
    repair,
    no_repair,
    input_range,
    weight_dtype,
    weight_block,
    close_gaps,
)


def _dtype(*names: str) -> Callable[[F], F]:
    """Which element type activations have."""
    real = "; float32 quantizes nothing" if "float32" in names else ""
    if "auto" in names:
        real = "; auto: of the layers that need it, so that outputs are off the float model by no"
        real += " more than --max-loss"
    return option(
        "--dtype",
        type=click.Choice(names),
        default="int8",
        show_default=True,
        help=f"Element type of activations; int16 has weights of 16 bits, too{real}.",
    )


objective = option(
    "--objective",
    type=click.Choice(["balanced", "ram", "ram=strict", "latency", "flash"]),
    default="balanced",
    show_default=True,
    help="What kernels are chosen for: least arena, cycles or flash; balanced is fast"
    " at little more arena than ram, or the fastest that keeps the limits.",
)
_MODELLING = (
    target,
    dim,
    cut_output,
    state,
    layer_dtype,
    *_RANGES,
    io_layout,
    keep_dead_channels,
    max_loss,
    effort,
    keep_input,
    keep_output,
    name,
    _dtype("int8", "int16", "float32"),
    objective,
    backend,
    option(
        "--streaming",
        type=click.Choice(["auto", "off", "input"]),
        default="auto",
        show_default=True,
        help="Run layers row by row; input: its rows are fed as they come.",
    ),
    click.option("--dump-after", metavar="PASS", help="Print the graph after a pass."),
)
modelling = stack(_MODELLING)
_LIMITS = (
    option("--max-ram", type=SIZE, help="RAM budget, e.g. 64K."),
    option("--max-flash", type=SIZE, help="Flash budget, e.g. 256K."),
    option("--max-latency", type=TIME, help="Time of one inference, e.g. 50ms."),
    option(
        "--max-row-latency",
        type=TIME,
        help="Time of a call that feeds a row of the input or finishes after the last one, e.g."
        " 500us; with --streaming input the plan keeps it, at the price of RAM.",
    ),
    option(
        "--max-region",
        "region_limits",
        type=REGION,
        multiple=True,
        help="Budget of one memory of the target, e.g. sram=48K.",
    ),
    option("--warn-at", type=PERCENT, help="Share of a budget, e.g. 90%, from which on it warns."),
)
_baseline = option("--baseline", type=FILE, help="An earlier JSON report: growth against it fails.")
_fail_on = option(
    "--fail-on",
    "failing",
    type=FAIL_ON,
    multiple=True,
    help="What fails beside budgets: growth (with --baseline always, unless budget is given),"
    " growth=BYTES of RAM or flash and more, warning; budget: nothing else.",
)
budgets = stack([*_LIMITS, _baseline, _fail_on])
ranging = stack(
    [
        *(*_RANGES, _dtype("int8", "int16", "auto"), layer_dtype, dim, cut_output, state),
        *(max_loss, target, objective, *_LIMITS[:3]),
    ]
)
_package = option(
    "--package",
    "packages",
    type=PACKAGE,
    multiple=True,
    help=f"Also what a build system takes: one of {', '.join(PACKAGES)}, or several with commas.",
)
_min_sqnr = option(
    "--min-sqnr",
    type=Factor(0.0, 200.0),
    default=10.0,
    show_default=True,
    metavar="DB",
    help="Least signal-to-noise ratio of an output in dB.",
)

_ASKING = (reshape, advice, time_limit(60.0, "Seconds for --advice."))
_build = click.option("--build", is_flag=True, help="Compile, and measure code and stack.")
_types = click.option(
    "--frontier",
    is_flag=True,
    help="Compare plans with int4 weights or int16 activations of some layers: loss, flash, RAM,"
    " cycles.",
)
_frontier = click.option(
    "--frontier",
    is_flag=True,
    help="Price recompute in column tiles: least RAM against MACs; code is not generated. With"
    " calibration data also other types of some layers, as check does.",
)
_inputs = click.option(
    "--inputs", type=FILE, metavar="DATA", help="Inputs to run, as those of --calibration."
)
_samples = click.option(
    "--samples", type=click.IntRange(1), help="Samples to run on the emulator.", default=3
)
_proving = (
    _inputs,
    click.option(
        "--on",
        "places",
        type=click.Choice(["host", "emulator"]),
        multiple=True,
        help="Where to run; both unless given.",
    ),
    _samples,
    _min_sqnr,
)
_bundling = (
    option(
        "--calibration",
        "calibrations",
        metavar="[NAME=]DATA",
        multiple=True,
        help="Inputs to observe ranges on, of the model of that name or of all others; as those of"
        " `generate`.",
    ),
    click.option(
        "--exclusive",
        metavar="A,B,..",
        multiple=True,
        help="Models that never run at the same time: they share one arena.",
    ),
    click.option(
        "--build",
        is_flag=True,
        help="Link all models together, compare the image with the plans, and run each on the"
        " emulator.",
    ),
    _package,
)

checking = stack([modelling, budgets, *_ASKING, _build, _types, library])
planning = stack([modelling, budgets, *_ASKING, _frontier])
generating = stack([modelling, budgets, _package])
fitting = stack([modelling, *_LIMITS, time_limit(300.0, "Seconds to search.")])
verifying = stack([modelling, budgets, *_proving, library])
bundling = stack([*(o for o in _MODELLING if o is not calibration), budgets, *_bundling])
evidencing = stack([modelling, budgets, _inputs, _samples, _min_sqnr])
