# SPDX-License-Identifier: Apache-2.0
"""Codes of what building and running shows."""

from __future__ import annotations

from mcuplan.findings.finding import Explanation

__all__ = ["PROOFS"]

PROOFS = (
    Explanation(
        "elf/drift",
        "The linked image does not have the bytes that the plan says, or its code could not be "
        "told apart from the rest.",
        "This is a defect of mcuplan or an unusual build; keep the generated folder and report it.",
    ),
    Explanation(
        "flash/library",
        "Kernels call a library whose sources are yours (CMSIS-NN): what it takes depends on its "
        "release and on how it is compiled. Its code and stack are not in the figures, nor are its "
        "cycles where a limit of time is set, so that nothing says that the model fits.",
        "Give your copy with --cmsis-nn DIR: check --build measures code and stack, verify also "
        "runs it and counts cycles.",
    ),
    Explanation(
        "latency/library",
        "Kernels call a library whose sources are yours: its cycles are not known before it runs. "
        "The figures are fitted to a copy that was typed anew, on a Cortex-M4, or are those of "
        "portable kernels in its place where nobody counted that.",
        "mcuplan verify with --cmsis-nn DIR counts them on the emulator.",
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
        "Try --quantize-effort best, or calibrate with more representative inputs; the per-layer "
        "errors (--all) show where precision is lost, --layer-dtype takes layers out of int8.",
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
        "Try --quantize-effort best, or calibrate with more representative inputs; the per-layer "
        "errors (--all) show where precision is lost. Channels of far smaller range than others "
        "need their own output: end the model before the Concat that joins them.",
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
)
