# SPDX-License-Identifier: Apache-2.0
"""The header of a model: what an application sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mcuplan.emit.arenas import arena_macros, arena_types
from mcuplan.emit.bundle import BundlePort
from mcuplan.emit.c_writer import COLUMNS
from mcuplan.emit.places import Places
from mcuplan.emit.ports import declared, helper, port_macros
from mcuplan.errors import InputTooLarge
from mcuplan.schedule.program import FEED

__all__ = ["computes_reals", "entry_values", "header_values"]

_MOST = 2**16 - 1  # what the members of a context count to
_NAMED_ROWS = 4  # as many are named in a comment
_NO_REALS = "no global state, no\n * floating point; interrupts stay enabled."
_REALS = """no global state;
 * interrupts stay enabled. Layers compute in floating point: where calls interrupt each other, or
 * tasks make them, the system keeps the registers of an FPU apart. Results have the bits of the
 * reference with -ffp-contract=off, as of gcc -std=c99, without -ffast-math, and with FPSCR as it
 * is after a reset: to nearest, subnormals kept."""
_ROW_ORDER = """\
 * A row has the order of the model: a plane of {0}_ROW_PIXELS values for
 * each of {0}_ROW_PLANES channels; row[c * {0}_ROW_PIXELS + x] is
 * channel c of pixel x.
"""

_FINISH = """\
 *     if ({0}_finish(&ctx) == MPLAN_OK) {{
"""
_FINISH_IN_PARTS = """\
 *     mplan_status_t status = {0}_finish(&ctx);
 *
 *     while (status == MPLAN_MORE) {{
 *         other_work();
 *         status = {0}_finish(&ctx);
 *     }}
 *     if (status == MPLAN_OK) {{
"""
_FINISH_NOTE = """\
 * What is left after the last row takes {1} calls of {0}_finish(): all but the last one return
 * MPLAN_MORE. Between them there is time for other work; a row is refused until the next begin.
"""
_AT_ONCE = {"or_end": "", "end_param": "", "end": "RUNS", "first_end": ""}
_UNTIL, _UNTIL_DONE = "to {0}_finish()", "until {0}_finish() returns MPLAN_OK"
_IN_PARTS = {
    "or_end": ", or the\n * end of a call",
    "end_param": ", size_t end",
    "end": "end",
    "first_end": ", call_ends[0]",
}


def header_values(
    places: Places, inputs: Sequence[BundlePort], outputs: Sequence[BundlePort]
) -> dict[str, str]:
    """What fills the header's template."""
    ports = [*((p, True) for p in inputs), *((p, False) for p in outputs)]
    shown = [(p, i) for p, i in ports if not (i and places.plan.fed_rows)]
    macros = [port_macros(p, places.plan.fed_rows if i else 0) for p, i in ports]
    return {
        "arena_macros": arena_macros(places.name, places.arenas),
        "port_macros": "\n".join(macros),
        "arena_types": arena_types(places.name, places.arenas, _lasting(places)),
        "ctx_members": _ctx_members(places),
        "accessors": "\n".join(declared(places, p, is_input=i) for p, i in shown),
        "helpers": "\n".join(filter(None, (helper(p, is_input=i) for p, i in ports))),
    }


def entry_values(
    places: Places, inputs: Sequence[BundlePort], outputs: Sequence[BundlePort]
) -> dict[str, str]:
    """What fills the declarations of the functions that run the model."""
    hook = "every step\n * (to feed a watchdog)"
    if not places.plan.is_straight:
        hook = "every run of\n * rows, which are numbered from 0 (to feed a watchdog)"
    said = {"hook": hook, "reals": _REALS if computes_reals(places) else _NO_REALS}
    if places.plan.fed_rows:
        return {**said, "output": outputs[0].accessor, **_fed_values(places, inputs[0])}
    return {
        **said,
        "inputs_s": "s" if len(inputs) > 1 else "",
        "outputs_s": "s" if len(outputs) > 1 else "",
        "overwritten": _input_note(places, many=len(inputs) > 1),
    }


def _lasting(places: Places) -> str:
    """What is to be known of an arena between calls."""
    if places.plan.fed_rows:
        return f"From {places.name}_begin() {_until(places)} it must stay as it is."
    one = len(places.graph.app_outputs) == 1
    ports = f"output{'' if one else 's'}"
    if not _overwritten(places):
        one, ports = False, f"input{'s' if len(places.graph.app_inputs) > 1 else ''} and {ports}"
    return f"Between calls only the {ports} in it mean{'s' if one else ''} something."


def _until(places: Places) -> str:
    """When a fed input has been worked on."""
    return (_UNTIL_DONE if places.plan.pauses else _UNTIL).format(places.name)


def _input_note(places: Places, *, many: bool) -> str:
    """What becomes of the inputs in a call."""
    verb, them, they = ("are", "them", "they") if many else ("is", "it", "it")
    if _overwritten(places):
        return f"{verb} overwritten: write {them} anew before every call"
    return f"{verb} kept: {they} may be used again in the next call"


def computes_reals(places: Places) -> bool:
    """Whether a step reads or makes floats; constants that it has integers of are none."""
    signatures = [step.signature for step in places.steps]
    kinds = [kind for each in signatures for kind in each.outputs]
    kinds += [
        kind
        for each in signatures
        for kind, constant in zip(each.inputs, each.constants, strict=True)
        if constant is None
    ]
    return any(kind.dtype.is_float for kind in kinds)


def _fed_values(places: Places, port: BundlePort) -> dict[str, str]:
    head = f"mplan_status_t {places.name}_feed_row("
    wide = len(f"{head}{places.name}_ctx_t *ctx, const {port.dtype.c_type} *row);") > COLUMNS
    members = [(f"{places.name}_{member}_t", member) for member, _ in places.regions]
    return {
        "INPUT": port.accessor.upper(),
        "row_ctype": port.dtype.c_type,
        "row_gap": "\n" + " " * len(head) if wide else " ",
        "row_order": _ROW_ORDER.format(port.accessor.upper()) if port.planes else "",
        "worked": _worked(places),
        "until": _until(places),
        "arena_example": ", ".join(f"{kind} {member}" for kind, member in members),
        "context_example": ", ".join(f".{member} = &{member}" for _, member in members),
        **(_IN_PARTS if places.plan.pauses else _AT_ONCE),
        **_finish_texts(places),
    }


def _finish_texts(places: Places) -> dict[str, str]:
    """How what is left after the last row is finished."""
    name, parts = places.name, len(places.plan.pauses)
    if not parts:
        return {"finish_example": _FINISH.format(name), "finish_note": "", "more": ""}
    return {
        "finish_example": _FINISH_IN_PARTS.format(name),
        "finish_note": _FINISH_NOTE.format(name, parts),
        "more": f"\n * {name}_finish() returns MPLAN_MORE, which is no error, while there is more.",
    }


def _worked(places: Places) -> str:
    """The rows behind which layers run."""
    ends = [run.end - 1 for run in places.plan.runs if run.step == FEED]
    if len(ends) > _NAMED_ROWS:
        return f"{len(ends)} of the {places.plan.fed_rows} rows, the last one among them"
    *first, last = map(str, ends)
    return f"rows {', '.join(first)} and {last}" if first else f"the last row, {last}"


def _check_progress(places: Places) -> None:
    """A context counts runs, and rows and calls that finish, in 16 bits."""
    runs, rows = len(places.plan.runs), places.plan.fed_rows
    if max(runs, rows + 1 + len(places.plan.pauses)) > _MOST:
        raise InputTooLarge(
            f"fed row by row it takes {rows:,} rows and {runs:,} runs, "
            f"a context counts to {_MOST:,}",
            places.graph.inputs[0].tensor,
            hint="plan without --streaming input",
        )


def _ctx_members(places: Places) -> str:
    lines = [f"    {places.name}_{member}_t *{member};" for member, _ in places.regions]
    if places.plan.fed_rows:
        _check_progress(places)
        lines.append(
            "    uint16_t run;  /* zero at first, then kept here: the next run of rows, */"
        )
        more = " and calls of finish" if places.plan.pauses else ""
        lines.append(
            f"    uint16_t turn; /* and 1 + rows taken{more}; 0 outside of begin and finish */"
        )
    return "\n".join(lines)


def _overwritten(places: Places) -> bool:
    """Whether the bytes of an input serve another purpose during a call."""
    rows = places.plan.allocation.rows
    mine = {slot.buffer for p in places.graph.app_inputs for slot in rows[p.tensor]}
    spans = list(_spans(places))
    inputs = [span for span in spans if span[0] in mine]
    shared = any(
        a[0] != b[0] and a[1] == b[1] and a[2] < b[3] and b[2] < a[3] for a in inputs for b in spans
    )
    owners = [slot.buffer for name in places.owners() for slot in rows[name]]
    aliased = any(owners.count(buffer) > 1 for buffer in mine)
    return shared or aliased


def _spans(places: Places) -> Iterator[tuple[str, str, int, int]]:
    """Name, region, first byte and end of every buffer."""
    for region, memory in places.plan.memory.items():
        for placement in memory.placements:
            end = placement.offset + placement.buffer.nbytes
            yield placement.buffer.name, region, placement.offset, end
