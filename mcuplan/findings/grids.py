# SPDX-License-Identifier: Apache-2.0
"""Codes of what calibration and grids show."""

from __future__ import annotations

from mcuplan.findings.finding import Explanation

__all__ = ["GRIDS"]

GRIDS = (
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
        "--quantize-effort best gives an output a scale for each channel, and brings parts inside "
        "of a model to one range. Or make the parts outputs of their own (end the model before the "
        "Concat), so that each has its own scale; or bring them to one range before they are "
        "joined.",
    ),
    Explanation(
        "quant/float-layers",
        "Layers of an int8 model compute in float32: there is no int8 form of them, --layer-dtype "
        "asks for it, they give inputs or outputs a scale for each channel (--quantize-effort "
        "best; --no-repair inputs --no-repair outputs does without), they look for the nearest of "
        "many points, whose distances 256 steps do not tell apart, they hide scores from a "
        "Softmax, or a quantized model does not round what they make or read (no QuantizeLinear "
        "behind them), or their weights. Values are converted where they meet "
        "layers of integers; conversions are layers with a price.",
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
        "model has it, or as --quantize-effort best gives them where outputs are poor without "
        "(--no-repair widening does without): their steps are some 200 times finer. Values are "
        "converted where they meet layers of int8; the conversions are layers with a price of "
        "their own.",
        "Nothing must be done. Activations take twice the RAM, and products some 1.4 times the "
        "cycles.",
    ),
    Explanation(
        "quant/block-weights",
        "The model file has weights of 4 bits or fewer in blocks, each on a scale of its own "
        "(MatMulNBits, GatherBlockQuantized, DequantizeLinear with block_size). Blocks of "
        "generated code have a scale of the output channel times 1 to 15, so that such weights "
        "are not what the file says, to the bit: they are real values, which int8 holds well, and "
        "are rounded to 4 bits again only where that is asked for. The distance of these is in "
        "steps of their blocks, as root of the mean square; 0.29 is that of weights that were "
        "never rounded.",
        "Nothing must be done. --weight-dtype int4 --weight-block N with the block size of the "
        "model takes half the flash; mcuplan verify shows what outputs lose.",
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
        "weights, biases and ranges are fitted to the outputs of the float model. With best, where "
        "outputs are poor all the same (below 25 dB), functions get a table for each channel, "
        "inputs and outputs a scale for each, and the layers whose grids cost most activations of "
        "16 bits. Each change is "
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
        "--quantize-effort normal (or best) equalizes channels and keeps that where outputs gain; "
        "best gives inputs and outputs a scale for each channel, and layers int16, where that does "
        "not do. See what is left with mcuplan verify --all; --layer-dtype takes layers out of "
        "int8.",
    ),
    Explanation(
        "quant/far-channels",
        "Channels of a tensor lie far from 0, or from one another, beside what each of them varies "
        "by. They share a scale and a zero point, so that a usual one has four bits or fewer.",
        "Where it is an input, such as columns of a table in units of their own, subtract the mean "
        "of each and divide by its deviation in the application. --quantize-effort normal (or "
        "best) moves what a channel always adds into the biases behind it. See what is left with "
        "mcuplan verify --all; --layer-dtype takes layers out of int8, --dtype int16 all.",
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
)
