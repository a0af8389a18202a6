# SPDX-License-Identifier: Apache-2.0
"""What a report can find in a model that could be read: codes, what they mean, what to do.

Errors that stop a run are classes (:mod:`mcuplan.errors`); findings stand in a report. Both
share one list of codes, and :func:`explanations` is that list.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from mcuplan.errors import all_error_classes

__all__ = [
    "BUDGETS",
    "DEFECT_HINT",
    "FINDINGS",
    "Explanation",
    "Finding",
    "Severity",
    "explanations",
]

DEFECT_HINT = "keep the folder and report it"
"""What to do about a finding that only a defect of mcuplan, or of a compiler, can cause."""


class Severity(StrEnum):
    """How much a finding weighs: only an error changes the exit status."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a report says about the model, beyond its figures."""

    code: Annotated[str, (("pattern", "^[a-z]+/[a-z0-9-]+$"),)]
    severity: Severity
    message: str
    where: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a code means and what to do about it."""

    code: str
    meaning: str
    action: str


_FINDINGS = (
    Explanation(
        "ram/over-budget",
        "The arena, static data and stack together need more RAM than the budget allows: the "
        "limit given with --max-ram, or what the target's RAM regions have after the bytes "
        "reserved for the firmware.",
        "Look at the peak step of the report: only what is alive there counts. Make that "
        "layer's input or output smaller (fewer channels, a stride earlier, a smaller image), "
        "or look for a target that holds it: `mcuplan targets fit MODEL`.",
    ),
    Explanation(
        "flash/over-budget",
        "Weights, tables and code together need more flash than the budget allows. Before a "
        "build, code is modelled and its margin counts in full.",
        "`mcuplan verify` or `check --build` measures the code and frees the margin; else the "
        "largest layers of the report must shrink.",
    ),
    Explanation(
        "latency/over-budget",
        "The estimated cycles at the target's clock take longer than --max-latency.",
        "`--objective latency` takes the fastest kernels that fit, for more RAM and flash; else "
        "the layers with the most cycles of the report are the ones to shrink.",
    ),
    Explanation(
        "latency/row-over-budget",
        "With --streaming input each call that feeds a row runs the layers that it makes "
        "possible, and the slowest of them takes longer than --max-row-latency. Rows are brought "
        "forward, so that each finds its share of the work, and what is left after the last row is "
        "done in several calls of NAME_finish(), but one row of a layer is not divided.",
        "Take faster kernels (`--objective latency`), give a longer limit, hold lines in a buffer "
        "while the slow call runs, or make the layer with the most cycles for each row smaller.",
    ),
    Explanation(
        "quant/random-calibration",
        "The activation ranges were made up (--calibration random): sizes and speed are right, "
        "the answers of the generated code are not for use.",
        "Calibrate with real inputs: --calibration DATA.npz.",
    ),
    Explanation(
        "quant/bias-clipped",
        "A bias of a channel is so large against its weights that it does not fit the int32 grid "
        "that the scales give it, as quantizers write it for channels that are nearly dead. A "
        "channel with one output for every input became that constant; another one lies on a "
        "coarser scale, at most a quarter of a step off.",
        "Nothing must be done. The channels do next to nothing: pruning them saves flash and time.",
    ),
    Explanation(
        "quant/cell-limit",
        "The cells of an LSTM in int8 have 16 bits and a fixed range. A step adds no more than 1 "
        "to them, so that few steps stay within it; many, or calls that go on from one another, "
        "could go beyond it, where cells stay at the limit. What they show is the same there, tanh "
        "is 1 to all bits beyond 8; but what stays at the limit is forgotten sooner. The outputs "
        "of a recurrent layer lie within 1; those that it begins with are limited to that, too.",
        "Run mcuplan verify on sequences as long as those of the device, or compute the layer in "
        "float32 with --layer-dtype.",
    ),
    Explanation(
        "quant/mixed-ranges",
        "A Concat joins tensors whose ranges differ by more than 8 times, and its output has one "
        "scale: of the smallest one less than 5 of the 8 bits are left. Box coordinates and "
        "scores of a detection head are the usual case.",
        "Make the parts outputs of their own (end the model before the Concat), so that each has "
        "its own scale; or bring them to one range before they are joined.",
    ),
    Explanation(
        "quant/float-layers",
        "Layers of an int8 model compute in float32: there is no int8 form of them, --layer-dtype "
        "asks for it, they look for the nearest of many points, whose distances 256 steps do not "
        "tell apart, they hide scores from a Softmax, or a quantized model does not round what "
        "they make or read (no QuantizeLinear behind them), or their weights. Values are "
        "converted where they meet layers of integers; conversions are layers with a price.",
        "Nothing must be done: the result is what the file means. What a quantized model does not "
        "round goes on grids with --close-gaps, by the limits that grids around set, or by "
        "--calibration; on a core without floating point that is far faster.",
    ),
    Explanation(
        "quant/gaps-closed",
        "A quantized model puts some tensors on no grid (no QuantizeLinear behind the operator). "
        "What a Relu or Clip makes of values on a grid lies on that grid exactly. The others got "
        "grids because of --close-gaps: they are rounded where the model does not round.",
        "Compare with mcuplan verify; without --close-gaps they compute in float32.",
    ),
    Explanation(
        "quant/int16-layers",
        "Layers of an int8 model have activations of 16 bits, as --layer-dtype asks for or the "
        "model has it: their steps are some 200 times finer. Values are converted where they meet "
        "layers of int8; the conversions are layers with a price of their own.",
        "Nothing must be done. Activations take twice the RAM, and products some 1.4 times the "
        "cycles.",
    ),
    Explanation(
        "quant/int8-layers",
        "Layers of a model of int16 activations compute in int8, for which alone their operators "
        "are there. Values are converted around them, and lose what 8 bits do not hold.",
        "See with mcuplan verify --all whether such a layer is where precision is lost; "
        "--layer-dtype NAME=float32 keeps it.",
    ),
    Explanation(
        "quant/few-samples",
        "Ranges were observed on fewer than 10 calibration samples. With n samples, one new input "
        "in n + 1 is expected to go beyond the range of a tensor at either end, and is cut there: "
        "with fewer than 10 that is one in ten.",
        "Give more inputs with --calibration: some dozens that show what the device will see; "
        "100 to 500 are usual.",
    ),
    Explanation(
        "quant/observer",
        "With --observer auto, ranges are observed on four of five samples; the others compare the "
        "outputs of the quantized model with those of the float one, once for each observer. The "
        "one with the best signal-to-noise ratio made the ranges.",
        "Nothing must be done. Give more samples where the figures are close.",
    ),
    Explanation(
        "quant/repaired",
        "With --quantize-effort normal or best, the error that grids make is made up for: layers "
        "whose outputs are added are merged, channels of a tensor are brought to like range, "
        "weights, biases and ranges are fitted to the outputs of the float model. Each change is "
        "judged on samples held back, as they are and twice as far from their mean, and kept where "
        "the outputs gain by it.",
        "Nothing must be done. Give more samples where the gains are small.",
    ),
    Explanation(
        "quant/outlier-sample",
        "The range of a tensor is at least 4 times wider for a single calibration sample: for all "
        "others two or more of the 8 bits are not used.",
        "Look at the sample: leave it out if the device never sees its like, or clip the tensor "
        "with --observer TENSOR=percentile (mse, entropy). --observer auto says if that helps.",
    ),
    Explanation(
        "quant/outlier-channel",
        "One channel of a tensor is at least 16 times as wide as a usual one. All channels of an "
        "activation share a scale, so that the others have four bits or fewer.",
        "--quantize-effort normal (or best) equalizes channels and keeps that where outputs gain. "
        "See what is left with mcuplan verify --all; --layer-dtype takes layers out of int8.",
    ),
    Explanation(
        "quant/coarse-steps",
        "A sum or difference of two tensors is far smaller than these: a step of the larger one is "
        "at least 8 steps of the result, whose last three bits or more say nothing.",
        "--quantize-effort best merges two layers of one input. Others: compute the operator and "
        "the layers that make its inputs in float32 (--layer-dtype), or train the model so that it "
        "does not take the difference of large values.",
    ),
    Explanation(
        "quant/full-accumulator",
        "The largest sum that a channel can make, whatever its input, is more than half of what "
        "int32 holds. That it never overflows is proved from the weights.",
        "Nothing must be done.",
    ),
    Explanation(
        "target/generic-sizes",
        "The target is a generic core: its memory sizes and clock are representative, not those "
        "of a part you can buy.",
        "`mcuplan targets list` shows the boards; a file of your own is given by its path. "
        "--max-ram and --max-flash set a budget of your own.",
    ),
    Explanation(
        "baseline/grew",
        "The model needs more RAM or flash than the report given with --baseline.",
        "The layers that grew are named with the reason. If the growth is wanted, write the new "
        "report as the baseline.",
    ),
    Explanation(
        "elf/drift",
        "The linked image does not have the bytes that the plan says, or its code could not be "
        "told apart from the rest.",
        "This is a defect of mcuplan or an unusual build; keep the generated folder and report it.",
    ),
    Explanation(
        "verify/mismatch",
        "The compiled code and the integer reference differ in at least one output byte.",
        "The first diverging layer is named. This is a defect of mcuplan or of the compiler; keep "
        "the generated folder and report it.",
    ),
    Explanation(
        "verify/no-sanitizers",
        "The program for this computer was built without sanitizers, because neither gcc nor clang "
        "could build and run an empty program with them. Every output byte was compared all the "
        "same; reads and writes at wrong addresses were not looked for.",
        "Install the compiler's sanitizer runtime (a package of its own), or run where the system "
        "lets it start.",
    ),
    Explanation(
        "verify/stray-write",
        "A step of the compiled code changed bytes of the arena, or beside it, that are neither "
        "its output nor its scratch.",
        "The layer is named. This is a defect of mcuplan or of the compiler; keep the generated "
        "folder and report it.",
    ),
    Explanation(
        "verify/header",
        "What the generated header says or does (sizes, dimensions, scales, conversions, "
        "accessors, error codes) is not what the model asks for.",
        "This is a defect of mcuplan; keep the generated folder and report it.",
    ),
    Explanation(
        "verify/kept-unused",
        "The report that a verification left beside the model is not taken for its figures: it is "
        "of another version, model, plan, target or compiler, it did not verify, or it was changed "
        "or damaged since. Its digest catches accidents and old files; it is no signature, and "
        "who means to mislead can write one.",
        "Run `mcuplan verify` again, which writes it anew, or delete it. Until then code, stack "
        "and cycles are modelled.",
    ),
    Explanation(
        "verify/layer",
        "A layer of a quantized model, fed with the runtime's own input, is more than 1 LSB off.",
        "This is a defect of mcuplan, or of a model that rounds where ONNX does not; report it.",
    ),
    Explanation(
        "verify/reference-evaluator",
        "ONNX Runtime does not run the model (a dilated convolution with auto_pad, for one), or is "
        "known to take it otherwise than ONNX says (a dilated pool with auto_pad, one), so "
        "that the integer code was held against ONNX's own reference evaluator.",
        "Nothing; explicit pads in the model let the runtime run it, too.",
    ),
    Explanation(
        "verify/layer-error",
        "The quantization error of a layer, those before it included, is more than half the "
        "size of its values.",
        "Calibrate with more representative inputs, or try another --observer.",
    ),
    Explanation(
        "verify/saturated",
        "More than one value in a hundred that the float model computes in a layer lies beyond the "
        "grid of its tensor and is cut there: the inputs are not like those of the calibration, "
        "or the observer clips much.",
        "Calibrate with inputs like these; --observer minmax clips least, --headroom widens it.",
    ),
    Explanation(
        "verify/sensitive-layers",
        "Outputs are poor, and these layers lose most on their own: each was given the float "
        "model's values as inputs, rounded to their grids, on the first 64 samples.",
        "Take the first one out of int8 with --layer-dtype and look again: what is left may be "
        "good. `layers[].noise` of the JSON report has every layer, alone and together.",
    ),
    Explanation(
        "verify/accuracy",
        "The integer model is worse than the float model by more than the limit, or decides "
        "otherwise than the runtime on too many samples. Decisions are compared where an output "
        "has one score for each class: there are integer labels, or it ends in a Softmax. A tie "
        "for first counts only where the float model has it, too.",
        "Calibrate with more representative inputs; the per-layer errors of the report show where "
        "precision is lost.",
    ),
    Explanation(
        "verify/sqnr",
        "The signal-to-noise ratio of an output against ONNX Runtime (10 log10 of the sum of its "
        "squares over that of the differences): an error below the limit of --min-sqnr (10 dB: "
        "an error of a third of the values), a warning below 20 dB (a tenth). Every output is "
        "judged on its own; its channels along the last axis (or the second one, of models with "
        "channels first) too where their float ranges differ by more than 8 times, unless all are "
        "results of one Softmax, Sigmoid or class scores. Where labels give a top-1 or AUC, these "
        "decide on their output; the ratio is only shown. Of choices (ArgMax) it is the share "
        "that differ; one of fewer than 200 is a warning. With random calibration all are.",
        "Calibrate with more representative inputs, or another --observer; the per-layer errors "
        "(--all) show where precision is lost. Channels of far smaller range than others need "
        "their own output: end the model before the Concat that joins them.",
    ),
    Explanation(
        "verify/constant-output",
        "The integers of an output, or of one of its channels, are the same for every input, "
        "where the values of the float model vary (of a channel: by more than two steps of a grid "
        "of its own): the grid is coarser than what they say.",
        "Give what has a small range its own output and scale (end the model before the Concat "
        "that joins it with larger values), and calibrate with inputs that vary.",
    ),
    Explanation(
        "verify/stack",
        "The painted stack shows more bytes used than the static bound of the call graph.",
        "This is a defect of mcuplan; keep the generated folder and report it.",
    ),
    Explanation(
        "model/dead-channels",
        "The model has channels on which no output depends: their filters are zero, or always "
        "end at a limit of the activation, or whatever reads them multiplies by zero. They are "
        "not part of the generated code; what a constant one added is in the biases of its "
        "readers. Every output byte is that of the whole model, and `mcuplan verify` compares "
        "with it.",
        "Nothing; --keep-dead-channels leaves them. Layers that lose most of their channels "
        "could be trained narrower.",
    ),
    Explanation(
        "model/near-dead-channels",
        "Channels that each alone change no output of any layer that reads them by more than half "
        "of its step, less their mean: on all samples of the calibration, and on some of them "
        "moved twice as far from their mean. What they add is mostly rounded away.",
        "--max-loss 1% removes them, as far as the outputs of calibration samples lose no more "
        "than that; their means go to the biases of their readers. Labels in the data make it "
        "points of their score, else it is relative output error. A detector of what is unusual "
        "should be judged on unusual samples, by mcuplan verify.",
    ),
    Explanation(
        "quant/types",
        "Of the plans with other types of some layers that --frontier compares, the one that loses "
        "least within --max-flash, --max-ram, --max-latency and --max-loss.",
        "Give the options of the hint, or write them to mcuplan.toml.",
    ),
    Explanation(
        "quant/loss",
        "What --max-loss was asked for, and what it brought.",
        "Allow more, or nothing.",
    ),
    Explanation(
        "model/states",
        "By their names and shapes, inputs and outputs of the model are states: what a call leaves "
        "in the output is in the input of the next one. The memory of the model keeps them; they "
        "are no inputs and outputs of the C code, NAME_reset() begins a sequence, and samples "
        "are run as one sequence.",
        "Nothing, if that is so. Else say which with --state IN=OUT, or --state none: then all are "
        "inputs and outputs.",
    ),
    Explanation(
        "model/note",
        "Something about the model that was read or rewritten in a way worth knowing.",
        "Nothing, unless the message surprises you.",
    ),
)

BUDGETS = frozenset({"ram/over-budget", "flash/over-budget", "latency/over-budget"})
"""Findings that say that the model is too large or too slow, not that something is wrong."""

FINDINGS: Mapping[str, Explanation] = {entry.code: entry for entry in _FINDINGS}
"""By code, in the order of documentation."""


def explanations() -> Mapping[str, Explanation]:
    """Every code of errors and findings, sorted by code."""
    found = dict(FINDINGS)
    for cls in all_error_classes():
        text = inspect.cleandoc(cls.__doc__ or "")
        meaning, _, action = text.partition("\n\nWhat to do:")
        found.setdefault(cls.code, Explanation(cls.code, _line(meaning), _line(action)))
    return dict(sorted(found.items()))


def _line(text: str) -> str:
    return " ".join(text.split())
