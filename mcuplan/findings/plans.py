# SPDX-License-Identifier: Apache-2.0
"""Codes of what a plan shows: sizes, time, growth, and how the model was read."""

from __future__ import annotations

from mcuplan.findings.finding import Explanation

__all__ = ["PLANS"]

PLANS = (
    Explanation(
        "ram/over-budget",
        "The arena, static data and stack together need more RAM than the budget allows: the "
        "limit given with --max-ram, or what the target's RAM regions have after the bytes "
        "reserved for the firmware.",
        "Look at the peak step of the report: only what is alive there counts. Make that "
        "layer's input or output smaller (fewer channels, a stride earlier, a smaller image), "
        "or look for a target that holds it: `mcuplan targets fit MODEL`. `mcuplan fit MODEL` "
        "searches options, types and other forms of the model, and prints the command that fits.",
    ),
    Explanation(
        "flash/over-budget",
        "Weights, tables and code together need more flash than the budget allows. Before a "
        "build, code is modelled and its margin counts in full.",
        "`mcuplan verify` or `check --build` measures the code and frees the margin; `mcuplan fit "
        "MODEL` looks for types and forms of the model that fit; else the largest layers of the "
        "report must shrink.",
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
        "ram/near-budget",
        "A budget of RAM, of all together or of one memory, is kept, but used up by at least the "
        "share that --warn-at says.",
        "Look at what would need less: mcuplan plan MODEL --frontier, --objective ram; or lower "
        "what else the firmware needs.",
    ),
    Explanation(
        "flash/near-budget",
        "A budget of flash is kept, but used up by at least the share that --warn-at says.",
        "Measure code instead of modelling it (mcuplan verify, check --build); --objective flash, "
        "or --weight-dtype int4.",
    ),
    Explanation(
        "latency/near-budget",
        "One inference takes at least the share of its limit that --warn-at says.",
        "--objective latency, or a smaller layer where most cycles go.",
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
        "The model needs more RAM or flash than the report given with --baseline. That is an "
        "error, a note where it is within --fail-on growth=BYTES, a warning with --fail-on budget.",
        "The change of the model is named. If the growth is wanted, write the new report as the "
        "baseline.",
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
        "model/states",
        "By their names and shapes, inputs and outputs of the model are states: what a call leaves "
        "in the output is in the input of the next one. The memory of the model keeps them; they "
        "are no inputs and outputs of the C code, NAME_reset() begins a sequence, and samples "
        "are run as one sequence.",
        "Nothing, if that is so. Else say which with --state IN=OUT, or --state none: then all are "
        "inputs and outputs.",
    ),
    Explanation(
        "model/placeholder-weights",
        "The form of a trained model was changed (its width, the size of its image, a layer), and "
        "its weights were cut or repeated to fit. Bytes and cycles are those of a model of this "
        "form, whatever its weights are: no channel is taken for dead. The answers mean nothing, "
        "and what accuracy training brings is not known.",
        "Train a model of this form and check that. Until then take the figures, not the code.",
    ),
    Explanation(
        "model/note",
        "Something about the model that was read or rewritten in a way worth knowing.",
        "Nothing, unless the message surprises you.",
    ),
)
