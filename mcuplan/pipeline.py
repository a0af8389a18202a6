# SPDX-License-Identifier: Apache-2.0
"""The stages in order: this page is the whole tool.

::

    model file --importer--> float graph --passes--> simplified graph
      --calibrate--> ranges --assign_grids--> graph with grids --repair--> one that errs less
      --lower--> graph in the types of C, without what no output depends on
      --schedule--> kernels, order and addresses: a plan --emit--> C sources
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from mcuplan import passes, words
from mcuplan.backends import channel_multiple
from mcuplan.calibrate import (
    Calibrated,
    Data,
    Observers,
    calibrate,
    random_data,
    read_data,
    stated_ranges,
    within,
)
from mcuplan.emit import Bundle, Stamp, emit
from mcuplan.errors import UsageError
from mcuplan.facts import ClosedBy
from mcuplan.importer import Form, ImportedModel, load_model
from mcuplan.ir.graph import Graph
from mcuplan.ir.op import Signature
from mcuplan.ir.types import DType
from mcuplan.passes.assign_grids import assign_grids, needs_range
from mcuplan.passes.dead_channels import Removal, remove_dead_channels
from mcuplan.passes.gaps import (
    Gaps,
    close_by_limits,
    closed,
    inherit_grids,
    on_no_grid,
    without_integers,
)
from mcuplan.passes.keep_real import keep_real
from mcuplan.passes.keep_wide import keep_wide
from mcuplan.passes.narrow_weights import narrow_weights
from mcuplan.passes.near_dead import Silent, silenced
from mcuplan.passes.real_ends import real_ends
from mcuplan.passes.template import AS_IT_IS, templated
from mcuplan.prove.harness import OPTIMIZE
from mcuplan.prove.loss import Losses
from mcuplan.record import Planned, Request
from mcuplan.repair import Recipe, Repaired, Tools, kinds_of, repair, repaired_alike
from mcuplan.repair.trim import NOTHING_NEAR_DEAD, Lost, Trimmed, trim
from mcuplan.schedule.code import model_code
from mcuplan.schedule.planning.choice import plan_asked
from mcuplan.schedule.planning.relower import lower_asked
from mcuplan.solvers.packing import Packer
from mcuplan.targets import Target

__all__ = [
    "Begun",
    "begin",
    "generate",
    "plan",
    "plan_begun",
    "plan_for",
    "quantize",
    "retarget",
    "simplify",
]


def simplify(request: Request) -> tuple[ImportedModel, Graph]:
    """Import a model, rewrite its float graph, and mark what is no int8."""
    model = load_model(request.model, request.dims, request.cuts, request.states)
    graph = templated(passes.run(model.graph, request.dump_after), request.template)
    gaps = Gaps(nodes=without_integers(graph))
    quantized = model.form is not Form.FLOAT32
    if quantized:
        graph, gaps = _gaps(request, graph)
    graph = keep_real(graph, request.real_layers, gaps, everything=request.dtype.is_float)
    graph = keep_wide(graph, request.wide_layers, everything=request.dtype is DType.INT16)
    wide = any(tensor.wanted is DType.INT16 for tensor in graph.tensors.values())
    if request.dtype is DType.INT16 and quantized and not wide:
        hint = "--calibration DATA and the float model"
        raise UsageError(f"--dtype int16 of a model in {model.form}", "", hint)
    return model, _narrowed(request, graph, quantized=quantized)


def _narrowed(request: Request, graph: Graph, *, quantized: bool) -> Graph:
    """Weights marked that are to have another type; raise where all are asked for and none has."""
    if request.weight_block is not None and DType.INT4 not in request.weight_dtypes.values():
        raise UsageError("--weight-block without weights of 4 bits", "", "--weight-dtype int4")
    marked = narrow_weights(
        graph, request.weight_dtypes, block=request.weight_block, quantized=quantized
    )
    wants = request.dtype is DType.INT16 and request.weight_dtypes.get("") is DType.INT4
    if wants and not any(
        tensor.wanted in (DType.INT4, DType.INT4_BLOCKS) for tensor in marked.tensors.values()
    ):
        hint = "--weight-dtype int8; or --layer-dtype NAME=int16 of some layers, not --dtype int16"
        what = "--weight-dtype int4: weights of int16 activations have 16 bits, or 8"
        raise UsageError(what, "--dtype int16", hint)
    return marked


def _gaps(request: Request, graph: Graph) -> tuple[Graph, Gaps]:
    """A quantized model with what may be closed of its gaps, and those that stay."""
    graph = inherit_grids(graph)
    nodes = without_integers(graph, rounds=not request.close_gaps)
    if not request.close_gaps:
        real, bare = nodes - without_integers(graph), on_no_grid(graph)
        return real_ends(graph, bare), Gaps(bare, nodes, real)
    stated = stated_ranges(graph, request.input_ranges)
    if request.calibration is not None or request.random_calibration:
        return closed(graph, needs_range(graph, stated), ClosedBy.CALIBRATION), Gaps(nodes=nodes)
    graph = close_by_limits(graph, stated)
    return graph, Gaps(on_no_grid(graph, stated), nodes)


def quantize(
    request: Request, graph: Graph, *, sizes_only: bool = False, recipe: Recipe | None = None
) -> Repaired:
    """Put every activation on a grid: the model's own, or one observed on data and repaired.

    With a ``recipe``, of the model with other types of some layers, repair tries nothing.

    Raises:
        MissingCalibration: ranges are needed and there is no data; not with ``sizes_only``.
    """
    stated = stated_ranges(graph, request.input_ranges)
    data = _calibration(request, graph) if needs_range(graph, stated) else None

    on_grids = partial(
        assign_grids, headroom=request.headroom, inputs=stated, placeholder=sizes_only
    )

    if data is None:
        return Repaired(graph, None, on_grids(graph, {}))
    inside = within(data, graph.app_inputs, stated)
    widen = request.headroom is None or request.headroom > 1.0

    def observed(model: Graph, observers: Observers) -> Calibrated:
        return calibrate(
            model,
            inside,
            needs_range(model, stated),
            observers,
            lambda ranges: on_grids(model, ranges).graph,
            widen=widen and not inside.random,
            bar=request.bar,
        )

    seen = observed(graph, request.observers)
    found = Repaired(graph, seen, on_grids(graph, seen.ranges))
    again = replace(request.observers, usual=seen.observer)
    tools = Tools(
        lambda model: observed(model, again),
        on_grids,
        lambda model, ranges: on_grids(model, ranges, constants=False).graph,
    )
    if recipe is not None:
        return repaired_alike(found, inside, tools, recipe)
    kinds = () if data.random else kinds_of(request.quantize_effort, request.repairs)
    asked = any(request.repairs.values())
    return repair(found, inside, tools, kinds, asked=asked, bar=request.bar)


@dataclass(frozen=True, slots=True)
class Begun:
    """What no target has a say in: a model, its float graph, and that on grids."""

    request: Request
    model: ImportedModel
    floating: Graph
    found: Repaired
    _removals: dict[Callable[[Signature], int], Removal] = field(default_factory=dict)
    _apart: list[Graph] = field(default_factory=list)

    @property
    def real_ranges(self) -> bool:
        """Whether ranges come from data or from the model."""
        seen = self.found.calibrated
        return not self.found.grids.made_up if seen is None else not seen.data.random

    def lowered(self, request: Request) -> Removal:
        """The graph in the types of C; once for all targets that wish for the same channels."""
        wish = channel_multiple(request.target.features, request.target.backend)
        if wish not in self._removals:
            real = self.real_ranges
            self._removals[wish] = lower_asked(request, self.found.grids, real_ranges=real)
        return self._removals[wish]

    def apart(self, request: Request) -> Graph | None:
        """The same, whole, where repair fitted weights to samples that outputs are judged by."""
        grids = self.found.apart
        if grids is None or grids is self.found.grids:
            return None
        if not self._apart:
            quiet = replace(request, dump_after=None, keep_dead=True)
            self._apart.append(lower_asked(quiet, grids, real_ranges=self.real_ranges).whole)
        return self._apart[0]


def begin(request: Request, *, sizes_only: bool = False, recipe: Recipe | None = None) -> Begun:
    """Everything up to grids: what is the same for every target.

    ``recipe``: see :func:`quantize`.
    """
    model, floating = simplify(request)
    _check_type(request, model)
    request = _untrained(request, model)
    found = quantize(request, floating, sizes_only=sizes_only, recipe=recipe)
    return Begun(request, model, floating, found)


def plan(request: Request, *, sizes_only: bool = False) -> Planned:
    """Everything up to addresses. ``sizes_only`` does without ranges where there are none."""
    return plan_begun(begin(request, sizes_only=sizes_only), request.target)


def plan_begun(begun: Begun, target: Target, packer: Packer | None = None) -> Planned:
    """A model that is on grids, planned for a target as if that had been asked for.

    ``packer`` knows what plans of like models placed.
    """
    request, found = replace(begun.request, target=target), begun.found
    removal, seen = begun.lowered(request), found.calibrated
    losses, apart = _losses(request, begun.floating, seen), begun.apart(request)
    trimmed = _trimmed(request, found, removal, apart or removal.whole, losses)
    if trimmed.silent:
        real, apart = begun.real_ranges, silenced(apart, trimmed.silent) if apart else None
        removal = lower_asked(request, found.grids, real_ranges=real, silent=trimmed.silent)
    undivided, divided = plan_asked(request, removal.graph, target, packer)
    return Planned(
        request=request,
        model=begun.model,
        floating=begun.floating,
        grids=found.grids,
        removal=removal,
        undivided=undivided,
        plan=divided,
        notes=(*begun.floating.notes, *(seen.data.notes if seen else ())),
        calibration=seen,
        trimmed=trimmed,
        losses=losses,
        recipe=found.recipe,
        apart=apart,
    )


def _untrained(request: Request, model: ImportedModel) -> Request:
    """What is asked of a model whose weights are placeholders: training may let no channel die."""
    if request.template == AS_IT_IS:
        return replace(request, keep_dead=True) if model.placeholder else request
    return replace(
        request, keep_dead=True, max_loss=None, calibration=None, random_calibration=False
    )


def _losses(request: Request, floating: Graph, seen: Calibrated | None) -> Losses | None:
    """What outputs lose is measured by, where some of it is allowed.

    Raises:
        UsageError: that was asked for, and there are no samples to judge by.
    """
    if request.max_loss is None:
        return None
    if seen is None or seen.data.random or request.keep_dead:
        what = "--max-loss: no samples of a float model show what outputs lose"
        hint = "--calibration DATA, a float model, and no --keep-dead-channels"
        raise UsageError(what, "", hint)
    return Losses(floating, seen.data)


def _trimmed(
    request: Request, found: Repaired, removal: Removal, judged: Graph, losses: Losses | None
) -> Trimmed:
    """Channels that readers hardly see, and those of them to do without."""
    seen = found.calibrated
    if seen is None or seen.data.random or request.keep_dead:
        return NOTHING_NEAR_DEAD
    if request.max_loss is None or losses is None:
        return trim(removal.whole, found, None, 0.0)
    before = losses.of(judged)

    def loss(silent: Silent) -> Lost:
        after = losses.of(silenced(judged, silent)) if silent else before
        return Lost(losses.measure, losses.samples, before, after)

    return trim(removal.whole, found, loss, request.max_loss)


def retarget(planned: Planned, target: Target) -> Planned:
    """The same lowered graph, planned for another target."""
    undivided, divided = plan_asked(planned.request, planned.lowered, target)
    return replace(planned, undivided=undivided, plan=divided)


def plan_for(planned: Planned, target: Target) -> Planned:
    """The model for another target: its kernels say which dead channels are worth keeping."""
    if planned.removal.kept:
        removal, wish = planned.removal, channel_multiple(target.features, target.backend)
        removal = remove_dead_channels(removal.whole, wish, real_ranges=removal.real_ranges)
        planned = replace(planned, removal=removal)
    return retarget(planned, target)


def generate(planned: Planned, name: str) -> Bundle:
    """C sources of a plan."""
    program = planned.plan.program
    code = model_code(program, program.target)
    stack = code.stack_bytes + code.stack_margin_bytes  # as the budget has it
    stamp = Stamp(
        planned.model.path.name,
        planned.model.sha256,
        words.options(planned),
        f"about {stack} bytes, modelled with a margin; mcuplan verify proves a bound",
        " ".join(("arm-none-eabi-gcc", OPTIMIZE, *program.target.flags)),
    )
    return emit(planned.plan, name, stamp)


def _check_type(request: Request, model: ImportedModel) -> None:
    """Raise where the model's own grids contradict what was asked for."""
    if request.dtype.is_float and request.weight_dtypes:
        raise UsageError("--weight-dtype of a model in float32", "", "--dtype int8")
    if request.dtype.is_float and model.form is not Form.FLOAT32:
        raise UsageError(f"--dtype float32 of a model in {model.form}", "", "--dtype int8")


def _calibration(request: Request, graph: Graph) -> Data | None:
    if request.random_calibration:
        return random_data(graph.app_inputs)
    if request.calibration is None:
        return None
    return read_data(request.calibration, graph.app_inputs, request.reading, bar=request.bar)
