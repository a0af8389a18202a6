# SPDX-License-Identifier: Apache-2.0
"""Options that commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mcuplan.cli._console import Outputs
from mcuplan.cli._values import (
    COLUMNS,
    DIM,
    FILE,
    FORMATS,
    LAYER,
    OBSERVER,
    PERCENT,
    PREPROCESS,
    RANGE,
    REPORT,
    ROWS,
    SIZE,
    STATE,
    TIME,
    WEIGHTS,
    Factor,
)
from mcuplan.errors import UsageError

if TYPE_CHECKING:
    from mcuplan.calibrate import Observers
    from mcuplan.ir.types import DType

__all__ = [
    "MODEL",
    "budgets",
    "dims_of",
    "layers_of",
    "modelling",
    "observers_of",
    "outputs_of",
    "reporting",
    "weights_of",
]

F = TypeVar("F", bound=Callable[..., Any])


MODEL = click.argument("model", type=FILE)


def _stack(options: Sequence[Callable[[F], F]]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _option(name: str, *more: str, **settings: Any) -> Callable[[F], F]:
    """An option that also reads its environment variable, MCUPLAN_MAX_RAM for --max-ram."""
    variable = f"MCUPLAN_{name.lstrip('-').replace('-', '_').upper()}"
    return click.option(name, *more, envvar=variable, **settings)


target = _option("--target", "-t", help="Chip, board or file: see `mcuplan targets list`.")
dim = _option(
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
weight_dtype = _option(
    "--weight-dtype",
    "weight_dtypes",
    type=WEIGHTS,
    multiple=True,
    help="Weights of 4 bits, int4: of all layers, or NAME=int4 of one; NAME=int8 takes one out. Of "
    "activations of 16 bits weights have 16, too, or 8 with int8.",
)
calibration = _option(
    "--calibration",
    metavar="DATA",
    help="Inputs to observe ranges on: an .npz file, a folder of .npy, a table (.csv) or images "
    "(PNG, JPEG; a folder for each class), or `random` (result not for use).",
)
observer = _option(
    "--observer",
    "--calibration-method",
    "observers",
    type=OBSERVER,
    multiple=True,
    help="How ranges follow from the inputs: minmax (default), moving-average, percentile or "
    "percentile:99.9, mse, entropy; auto keeps the best on inputs held back. NAME=OBSERVER: of one "
    "tensor or layer.",
)
window = _option("--window", type=ROWS, help="Rows of a table in one sample.")
hop = _option("--hop", type=ROWS, help="Rows from one window to the next; a window by default.")
columns = _option("--columns", type=COLUMNS, help="Columns of a table, by name or from 1.")
preprocess = _option(
    "--preprocess",
    type=PREPROCESS,
    help="Images to inputs, (pixel - mean) * scale: size=96x96, layout=nchw, order=bgr, mean=128, "
    "scale=1/255, filter=nearest; one value or R:G:B. Of tables mean and scale.",
)
headroom = _option(
    "--headroom",
    type=Factor(0.5, 16.0),
    default=1.1,
    show_default=True,
    help="Factor by which observed ranges are widened where no Clip or the like bounds them.",
)
quantize_effort = _option(
    "--quantize-effort",
    type=click.Choice(["fast", "normal", "best"]),
    default="fast",
    show_default=True,
    help="What is done about the error of the grids: nothing; equalized channels and corrected"
    " biases; also fitted weights and ranges, in minutes.",
)
input_range = _option(
    "--input-range",
    "input_ranges",
    type=RANGE,
    multiple=True,
    help="Values an input can take; NAME= may be left out of a model with one input.",
)
close_gaps = _option(
    "--close-gaps",
    is_flag=True,
    help="Put what a quantized model does not round on grids, too, instead of computing it in "
    "float32: within the limits that grids around set, or as the samples of --calibration show.",
)
io_layout = _option(
    "--io-layout",
    type=click.Choice(["model", "nhwc"]),
    default="model",
    show_default=True,
    help="Order of axes at the C boundary; nhwc drops a leading Transpose.",
)
keep_dead_channels = _option(
    "--keep-dead-channels", is_flag=True, help="Leave channels that no output depends on."
)
max_loss = _option(
    "--max-loss",
    type=PERCENT,
    help="What outputs may lose, e.g. 1%, so that channels go which readers hardly see, and layers"
    " take other types where a limit is missed else: points of the score that labels in the"
    " calibration data ask for, else relative output error.",
)
name = _option("--name", metavar="C_PREFIX", help="Prefix of generated names.")
effort = _option(
    "--effort",
    type=click.Choice(["fast", "normal", "thorough"]),
    default="normal",
    show_default=True,
    help="How long to look for the best order.",
)
keep_input = _option("--keep-input", is_flag=True, help="Inputs stay as they are in a call.")
keep_output = _option(
    "--keep-output", is_flag=True, help="Outputs stay until the next call makes them anew."
)
backend = _option(
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
    input_range,
    weight_dtype,
    close_gaps,
)


def _dtype(*names: str) -> Callable[[F], F]:
    """Which element type activations have."""
    real = "; float32 quantizes nothing" if "float32" in names else ""
    return _option(
        "--dtype",
        type=click.Choice(names),
        default="int8",
        show_default=True,
        help=f"Element type of activations; int16 has weights of 16 bits, too{real}.",
    )


ranging = _stack([*_RANGES, _dtype("int8", "int16"), layer_dtype, dim, cut_output, state])
modelling = _stack(
    [
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
        _option(
            "--objective",
            type=click.Choice(["balanced", "ram", "ram=strict", "latency", "flash"]),
            default="balanced",
            show_default=True,
            help="What kernels are chosen for: least arena, cycles or flash; balanced is fast"
            " at little more arena than ram, or the fastest that keeps the limits.",
        ),
        backend,
        _option(
            "--streaming",
            type=click.Choice(["auto", "off", "input"]),
            default="auto",
            show_default=True,
            help="Run layers row by row; input: its rows are fed as they come.",
        ),
        click.option("--dump-after", metavar="PASS", help="Print the graph after a pass."),
    ]
)
budgets = _stack(
    [
        _option("--max-ram", type=SIZE, help="RAM budget, e.g. 64K."),
        _option("--max-flash", type=SIZE, help="Flash budget, e.g. 256K."),
        _option("--max-latency", type=TIME, help="Time of one inference, e.g. 50ms."),
        _option(
            "--max-row-latency",
            type=TIME,
            help="Time of a call that feeds a row of the input or finishes after the last one, e.g."
            " 500us; with --streaming input the plan keeps it, at the price of RAM.",
        ),
        _option("--baseline", type=FILE, help="An earlier JSON report: growth against it fails."),
    ]
)
min_sqnr = _option(
    "--min-sqnr",
    type=Factor(0.0, 200.0),
    default=10.0,
    show_default=True,
    metavar="DB",
    help="Least signal-to-noise ratio of an output in dB.",
)
reporting = _stack(
    [
        _option(
            "--format",
            "-f",
            "form",
            type=click.Choice(FORMATS),
            default="text",
            show_default=True,
            help="Format of the report on stdout.",
        ),
        _option(
            "--report", "reports", type=REPORT, multiple=True, help="Also write a report file."
        ),
        click.option("--all", "every_layer", is_flag=True, help="Show every layer."),
        _option("--exit-zero", is_flag=True, help="Exit with 0 even over budget."),
        click.option("-v", "--verbose", count=True, help="Say more."),
        click.option("-q", "--quiet", is_flag=True, help="No report on stdout."),
    ]
)


def dims_of(pairs: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Sizes of dimensions by name.

    Raises:
        UsageError: one name is given two sizes.
    """
    found: dict[str, int] = {}
    for name, size in pairs:
        if found.setdefault(name, size) != size:
            raise UsageError(
                f"two sizes for one dimension: {found[name]} and {size}",
                f"--dim {name}",
                "one size for each name; --dim INPUT:AXIS=N where axes share a name",
            )
    return found


def observers_of(pairs: Sequence[tuple[str, str]]) -> Observers:
    """How ranges follow from the inputs.

    Raises:
        UsageError: one name, or all others, is given two observers.
    """
    from mcuplan.calibrate import Observers

    hint = "one of them; NAME=OBSERVER is for one tensor"
    found = _one_each(pairs, ("observers for", "all tensors"), "--observer", hint)
    usual = found.pop("", "minmax")
    return Observers(usual, found)


def layers_of(pairs: Sequence[tuple[str, str]], dtype: str) -> tuple[str, ...]:
    """Layers that are to compute in a type.

    Raises:
        UsageError: one layer is given two types.
    """
    found = _one_each(pairs, ("types for layer", ""), "--layer-dtype", "one of them")
    return tuple(name for name, asked in found.items() if asked == dtype)


def weights_of(pairs: Sequence[tuple[str, str]]) -> dict[str, DType]:
    """Types of weights by layer, of all others under the empty name.

    Raises:
        UsageError: one layer, or all others, is given two types.
    """
    from mcuplan.ir.types import DType

    hint = "one of them; NAME=int8 is for one layer"
    found = _one_each(pairs, ("types for the weights of", "all layers"), "--weight-dtype", hint)
    return {name: DType.named(dtype) for name, dtype in found.items()}


def _one_each(
    pairs: Sequence[tuple[str, str]], said: tuple[str, str], option: str, hint: str
) -> dict[str, str]:
    """Values by name, that of all others under the empty one; no name has two.

    ``said``: what the values are for a name, and who all others are.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if found.setdefault(name, value) != value:
            who = f"{name!r}" if name else said[1]
            raise UsageError(f"two {said[0]} {who}: {found[name]} and {value}", option, hint)
    return found


def outputs_of(options: dict[str, Any]) -> Outputs:
    """The options of ``reporting``, taken out of all options of a command."""
    quiet = options["quiet"]
    verbose = options.pop("verbose")
    return Outputs(
        form=options.pop("form"),
        reports=tuple(options.pop("reports")),
        every_layer=options.pop("every_layer"),
        verbosity=-1 if quiet else verbose,
        exit_zero=options.pop("exit_zero"),
    )
