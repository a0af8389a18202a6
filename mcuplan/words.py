# SPDX-License-Identifier: Apache-2.0
"""The words for what stages found out: every fact and proof, in a report's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcuplan.facts import (
    ArraysIgnored,
    BatchOfOne,
    ClassesRead,
    ClosedBy,
    DataNote,
    DynamicAsReal,
    EndsAt,
    FreeBlocks,
    GapsClosed,
    IntegerWeights,
    InType,
    LeftOut,
    Note,
    NotFinite,
    OpsetAssumed,
    OutOfOrder,
    ReadAsFloat,
    ReadAsInt8,
    RepairGain,
    RepairKind,
    Rewrite,
    Rewritten,
    SamplesCut,
    StatesFound,
    TakenAsIs,
)
from mcuplan.ir.types import DType
from mcuplan.plan_facts import (
    Aliased,
    FitsAsAWhole,
    Naive,
    NoGainByRows,
    NotWorthCycles,
    Overlapped,
    RowsTooFar,
    SeveralOutputs,
    SlowerByRows,
    TooManyRows,
    WithStates,
)
from mcuplan.record.planned import Planned, Request
from mcuplan.record.sizes import Peak, Ram
from mcuplan.safe_text import shown
from mcuplan.schedule.explore.levels import Arenas, ByRows, Reason
from mcuplan.schedule.kernels.objective import MOST_TIMES, WORTH
from mcuplan.schedule.program import OrderResult, Selected, Spread
from mcuplan.solvers.packing.problem import Ended, MemoryPlan
from mcuplan.solvers.rows.problem import RowOrder, RowProof
from mcuplan.units import format_bytes

__all__ = [
    "RANDOM_RANGES",
    "kernels",
    "moment",
    "note",
    "options",
    "placement",
    "reason",
    "regions",
    "row_order",
    "states_in",
    "step_order",
]

RANDOM_RANGES = "ranges come from random inputs: the result is not for use"

_REWRITES: Mapping[Rewrite, tuple[str, str]] = {  # the pass, and what it counts
    Rewrite.MOVEMENT_DROPPED: ("drop_dead", "data movements without effect removed"),
    Rewrite.UNREAD_DROPPED: ("drop_dead", "nodes removed that nobody reads"),
    Rewrite.TRANSPOSE_SUNK: ("sink_transposes", "transposes moved behind element-wise nodes"),
    Rewrite.FLATTEN_FOLDED: ("fold_flatten", "transposes folded into dense weights"),
    Rewrite.ATTENTION_FUSED: ("fuse_attention", "attentions row by row, without a map of scores"),
    Rewrite.DENSE_SPLIT: ("split_dense", "dense layers split into the parts that are read"),
    Rewrite.AFFINE_MERGED: ("merge_affine", "affine steps merged with the one before"),
    Rewrite.AFFINE_FOLDED: (
        "fold_batch_norm",
        "per-channel steps folded into convolutions and dense layers",
    ),
    Rewrite.ACTIVATION_FUSED: ("fuse_activation", "activations fused as limits"),
    Rewrite.ROUNDING_FOLDED: ("fold_quantize", "roundings folded into the node before"),
    Rewrite.GATE_FUSED: ("fuse_gate", "products with a function of one factor fused"),
    Rewrite.LOOKUP_FUSED: ("fuse_lookups", "functions joined into one table"),
    Rewrite.PADDING_FOLDED: ("fold_pad", "paddings folded into the windows behind them"),
    Rewrite.AFFINE_TO_TABLE: ("lower_affine", "affine steps made tables"),
    Rewrite.AFFINE_TO_LAYER: ("lower_affine", "affine steps made 1x1 convolutions"),
    Rewrite.LOOKUP_JOINED: ("join_lookups", "functions of one tensor joined"),
    Rewrite.BORDER_REGRIDDED: ("pad_grids", "borders put on a grid of their own"),
}

_ENDED: Mapping[Ended, str] = {
    Ended.NOT_ASKED: "not asked for",
    Ended.TOO_MANY_PAIRS: "not attempted",
    Ended.STOPPED: "stopped",
}


_CLOSED = {
    ClosedBy.NEIGHBOUR: "exactly, that of the values before",
    ClosedBy.LIMITS: "within the limits that grids around set",
    ClosedBy.CALIBRATION: "by calibration",
}


def note(fact: Note) -> str:
    """One line about a model."""
    match fact:
        case Rewritten(what, count):
            name, done = _REWRITES[what]
            return f"{name}: {count} {done}"
        case EndsAt(tensors, nodes):
            return f"ends at {_names(tensors)}: {nodes} nodes behind are left out"
        case LeftOut(nodes):
            return f"{nodes} nodes that no output depends on are left out"
        case IntegerWeights():
            return "weights are stored as integers, activations are float"
        case FreeBlocks(tensors, block):
            return f"tensors of weights in blocks of {block}, of 4 bits on free scales: {tensors}"
        case DynamicAsReal(tensors):
            return f"tensors taken as they are that the model rounds sample by sample: {tensors}"
        case OpsetAssumed(domain):
            return f"no opset version for domain {domain}; taken as 1"
        case OutOfOrder():
            return "nodes are not in the order that ONNX asks for; read in one that is"
        case ReadAsFloat(name, dtype):
            return f"{dtype} input {shown(name)} is read as float32"
        case InType():
            return _of_type(fact)
        case GapsClosed(tensors, by):
            return f"on a grid that the model does not give, {_CLOSED[by]}: {_names(tensors)}"
        case ReadAsInt8(name, dtype):
            said = f"{dtype} input {shown(name)} is int8 in C"
            return f"{said}, with scale and zero point of its range"
        case BatchOfOne(dimension, name):
            return f"batch {shown(dimension)} of input {shown(name)} is taken as 1"
        case StatesFound(pairs):
            said = ", ".join(f"{shown(read)} is {shown(written)}" for read, written in pairs)
            return f"kept from call to call, as their names say: {said} of the call before"
        case NotFinite(name, operator):
            return f"constant {shown(name)} becomes infinite or NaN in {operator}"
        case _:
            return _of_data(fact)


def _names(found: Sequence[str]) -> str:
    return ", ".join(map(shown, found))


def _of_type(fact: InType) -> str:
    layers, times = _names(fact.layers), fact.conversions
    said = f"in {fact.dtype}"
    if fact.dtype == "int8":
        return f"{said}, with no form in int16: {layers}"
    if not times:
        return f"{said}: {layers}"
    many = f"{times} conversion{'s' if times != 1 else ''}"
    return f"{said}, with {many} between int8 and {fact.dtype}: {layers}"


def _of_data(fact: DataNote) -> str:
    """One line about samples."""
    match fact:
        case ArraysIgnored(file, arrays):
            return f"{file}: arrays ignored: {', '.join(arrays)}"
        case ClassesRead(folder, classes):
            few = ", ".join(f"{label} = {shown(name)}" for label, name in classes[:4])
            more = f" and {len(classes) - 4} more" if len(classes) > 4 else ""
            return f"{shown(folder)}: labels by folder: {few}{more}"
        case TakenAsIs(file):
            return (
                f"{shown(file)}: arrays are taken as they are, whatever --preprocess and others say"
            )
        case SamplesCut(name, seen, stated):
            return f"input {name!r}: samples of {_range(seen)} cut to {_range(stated)}"


def _range(ends: tuple[float, float]) -> str:
    return f"{ends[0]:g} to {ends[1]:g}"


# -- plans ----------------------------------------------------------------------------------


def placement(memory: MemoryPlan) -> str:
    """How it is known that an arena cannot be smaller, or how small it might be."""
    arena, proved, nodes = memory.arena_bytes, memory.proved_bytes, f"{memory.nodes:,} nodes"
    if arena == memory.lower_bound_bytes:
        return f"the live bytes at the peak need {arena:,} B"
    if arena == proved:
        return f"the search refuted every size below {arena:,} B ({nodes})"
    after = f" after {nodes}" if memory.nodes else ""
    searched = f"exact search {_ENDED[memory.ended]}{after}"
    return f"{searched}; the least arena has {proved:,} to {arena:,} B"


def moment(peak: Peak) -> str:
    """The step that decides the RAM, and the row where it goes by rows."""
    what = f"step {peak.step}" if peak.step >= 0 or peak.row is None else "input"
    return what if peak.row is None else f"{what} row {peak.row}"


def states_in(ram: Ram) -> str:
    """How much of live bytes RAM does not count as arena."""
    return f", {ram.state_bytes:,} of it state" if ram.state_bytes else ""


def step_order(order: OrderResult) -> str:
    """What is known about the order of steps."""
    if not order.searched:
        return "the model's own order"
    if not order.optimal:
        bound = f"every order needs {order.lower_bound_bytes:,} B or more"
        return f"{bound}; stopped after {order.states:,} sets of nodes"
    least = f"no order needs less than {order.peak_bytes:,} B"
    if order.states:
        return f"{least}: {order.states:,} sets of nodes searched"
    return f"{least}: a step needs that in every order"


def row_order(order: RowOrder) -> str:
    """What is known about the order of rows."""
    least = f"no order of rows needs less than {order.lower_bound_bytes:,} B"
    match order.proof:
        case RowProof.CALL:
            return f"{least}: a call needs that in every order"
        case RowProof.SEARCHED:
            return f"{least}: {order.states:,} states searched"
        case RowProof.BOUND:
            stopped = f"; stopped after {order.states:,} states" if order.states else ""
            return f"every order of rows needs {order.lower_bound_bytes:,} B or more{stopped}"


def regions(spread: Spread) -> str:
    """What buffers in several regions cost."""
    waiting, bound = spread.wait_cycles, spread.lower_bound_cycles
    if not waiting:
        return "no wait states"
    proof = "no division has fewer" if waiting == bound else f"every division has {bound:,} or more"
    return f"{waiting:,} cycles of wait states (modelled); {proof}"


def _fewer(percent: float) -> str:
    """Percent of cycles saved, against kernels that may take more RAM: it can be negative."""
    return f"{abs(percent):.1f} % {'more' if percent < 0 else 'fewer'} cycles"


def kernels(selected: Selected) -> str:
    """What a choice of kernels gives up for what."""
    trade, parts = selected.trade, []
    held = " that the flash holds" if selected.of_held else ""
    here = f"{held} of this plan" if trade.faster else held
    said = f"the fastest kernel of every step{here}"
    if trade.slower:
        steps = f"{trade.slower} of {trade.steps} steps with a slower kernel"
        said = f"{steps}{held and f' than those{held}'}, {trade.more_cycles:.1f} % more cycles"
    if trade.saved_bytes:
        said += f", {trade.saved_bytes:,} B of {'flash' if trade.of_flash else 'arena'} less"
    parts.append(said)
    if trade.least_arena is not None:
        above = f", this {trade.above_least:.1f} % above" if trade.above_least > 0 else ""
        parts.append(f"least arena {trade.least_arena:,} B{above}")
    if trade.at_a_rate:
        parts.append(f"1 % of arena for up to {WORTH} % more cycles, {MOST_TIMES:g} times at most")
    if trade.backwards is not None:
        better = _fewer(trade.backwards)
        parts.append(f"other kernels for rows made backwards, {better}")
    if trade.flash is not None:
        steps, more = f"{trade.flash.steps} of {trade.steps} steps", f"{trade.flash.nbytes:,} B"
        parts.append(f"{more} more flash for {steps}, {_fewer(trade.flash.fewer_cycles)}")
    if trade.ram is not None:
        steps, grown = f"{trade.ram.steps} of {trade.steps} steps", trade.ram.nbytes
        room = f"{grown:,} B more arena" if grown > 0 else "the same arena"
        better = _fewer(trade.ram.fewer_cycles)
        parts.append(f"copies of the weights of {steps} in {room}, {better}")
    if trade.roomy is not None:
        steps = f"{trade.roomy.steps} of {trade.steps} steps"
        better = _fewer(trade.roomy.fewer_cycles)
        parts.append(f"runs of {steps} use the room that they find, {better}")
    if trade.faster is not None:
        ram, flash = (f"{n:+,} B" for n in (trade.faster.ram_bytes, trade.faster.flash_bytes))
        price = f"{ram} of RAM, {flash} of flash"
        parts.append(f"`--objective latency`: {-trade.faster.cycles:,} cycles for {price}")
    if selected.first:
        parts.append("the first plan that fits: --effort normal looks for less RAM")
    if selected.instead_of:
        parts.append(f"instead of {selected.instead_of}, which misses a limit")
    return ("what fits: " if selected.among_fitting else "") + "; ".join(parts)


def reason(why: Reason) -> str:
    """Why the arena of a level of planning is what it is."""
    match why:
        case Naive():
            return "the model's order, a buffer for every tensor"
        case OrderResult():
            return step_order(why)
        case Aliased(in_place, without_copy, copied):
            text = f"in place: {in_place}, joins and slices without a copy: {without_copy}"
            return f"{text}; still copied: {', '.join(copied)}" if copied else text
        case Overlapped(outputs):
            return f"outputs that start among rows of their input that are done with: {outputs}"
        case RowsTooFar(message):
            return f"not by rows: {message}"
        case SeveralOutputs(layer):
            return f"not by rows: {shown(layer)} has several outputs"
        case FitsAsAWhole():
            return "not by rows: it fits as a whole, and --effort fast looks for no less"
        case WithStates():
            return "not by rows: the next call goes on from states"
        case SlowerByRows(more):
            return f"by rows it would take {more:.1f} % more cycles"
        case NotWorthCycles(saved):
            return f"by rows it would need {saved:,} B less, not worth the cycles"
        case TooManyRows():
            return "too many rows to find an order of them"
        case NoGainByRows():
            return "no order of rows needs less"
        case ByRows(steps, fed, order):
            input_ = "the input is fed row by row, " if fed else ""
            return f"{input_}{steps} steps row by row: {row_order(order)}"
        case Arenas(memory, spread):
            if spread is None:
                return "; ".join(map(placement, memory.values()))
            sizes = (f"{name} {format_bytes(m.arena_bytes)}" for name, m in memory.items())
            return f"{' + '.join(sizes)}; {regions(spread)}"


_REPAIRS = {
    RepairKind.MERGING: "merged layers",
    RepairKind.EQUALIZATION: "equalized channels",
    RepairKind.LIMITS: "equalized behind limits",
    RepairKind.ABSORPTION: "absorbed biases",
    RepairKind.TABLES: "functions with tables by channel",
    RepairKind.OUTPUTS: "a scale for each channel of outputs",
    RepairKind.INPUTS: "a scale for each channel of inputs",
    RepairKind.RANGES: "fitted ranges",
    RepairKind.WIDENING: "layers in int16",
    RepairKind.BIASES: "corrected biases",
    RepairKind.ROUNDING: "fitted weights and biases",
}


def repair(gain: RepairGain) -> str:
    """What a kind of repair left, and what that was worth."""
    change = gain.after_db - gain.before_db
    return f"{_REPAIRS[gain.kind]} {change:+.1f} dB{'' if gain.kept else ', left out'}"


def _limits(request: Request) -> list[str]:
    """Budgets by which kernels and calls were chosen."""
    sizes = {"max-ram": request.ram_limit, "max-flash": request.flash_limit}
    times = {"max-latency": request.latency_limit_s, "max-row-latency": request.row_limit_s}
    said = [f"{name} {size}" for name, size in sizes.items() if size is not None]
    said += [f"max-region {name}={size}" for name, size in request.region_limits.items()]
    return said + [f"{name} {1000 * s:g}ms" for name, s in times.items() if s is not None]


def options(planned: Planned) -> str:
    """What of the request shaped the code, for its header; no path, no date."""
    request = planned.request
    said = [] if request.dtype is DType.INT8 else [f"dtype {request.dtype}"]
    said += [f"cut-output {name}" for name in request.cuts]
    said += [f"state {read}={written}" if read else "no state" for read, written in request.states]
    said += [] if request.io_layout == "model" else [f"io-layout {request.io_layout}"]
    said += [f"layer-dtype {shown(name)}=float32" for name in request.real_layers]
    said += [f"layer-dtype {shown(name)}=int16" for name in request.wide_layers]
    said += [
        f"weight-dtype {f'{shown(name)}={dtype}' if name else dtype}"
        for name, dtype in request.weight_dtypes.items()
    ]
    said += [] if request.weight_block is None else [f"weight-block {request.weight_block}"]
    said += ["close-gaps"] if request.close_gaps else []
    said += ["keep-dead-channels"] if request.keep_dead else []
    said += [] if request.max_loss is None else [f"max-loss {request.max_loss:g}%"]
    said += [
        f"input-range {f'{name}={low:g}:{high:g}' if name else f'{low:g}:{high:g}'}"
        for name, (low, high) in request.input_ranges.items()
    ]
    said += ["keep-input"] if request.sharing.keep_inputs else []
    said += ["keep-output"] if request.sharing.keep_outputs else []
    said += [] if request.objective == "balanced" else [f"objective {request.objective}"]
    said += [] if request.effort == "normal" else [f"effort {request.effort}"]
    said += [f"streaming {request.streaming}"] if not planned.plan.is_straight else []
    said += _limits(request)
    if planned.calibration is not None:
        random, effort = planned.random_ranges, request.quantize_effort
        said += [f"observer {name}={how}" for name, how in request.observers.named.items()]
        said += [] if effort == "fast" or random else [f"quantize-effort {effort}"]
        said += [f"{'' if on else 'no-'}repair {kind}" for kind, on in request.repairs.items()]
        said.append(f"observer {planned.calibration.observer}")
        said += [] if request.headroom is None else [f"headroom {request.headroom:g}"]
        said.append("calibration random: NOT FOR USE" if random else "calibrated")
    return ", ".join(said) or "none"
