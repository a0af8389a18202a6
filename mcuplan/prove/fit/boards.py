# SPDX-License-Identifier: Apache-2.0
"""Reads and rules of every kernel of a set, fitted to counts of single layers on boards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.ir.types import Array
from mcuplan.memory_system import MemorySystem, Stalls
from mcuplan.price.board import (
    BARE_READ,
    CACHED_CODE,
    CACHED_READ,
    Waits,
    held_in,
    modelled_stalls,
)
from mcuplan.price.code import kernel_sizes
from mcuplan.prove.bench import Row
from mcuplan.prove.fit.kernels import count_kernels
from mcuplan.prove.fit.least_squares import nonnegative

__all__ = ["BOARDS", "BoardRows", "boards_text", "count_boards", "fitted_waits", "stall_errors"]

_HEAD = """# SPDX-License-Identifier: 0BSD
# Reads of each part of a kernel (Kernel.work) from the flash of a board, and pipeline rules, fitted
# to counts of single layers on the emulator, gcc -O2; errors are abs(modelled - counted) / counted
# of core and board together, of all but one layer in twenty.
# Made by `mcuplan bench --fit --backend {backend}`: do not edit.

"""
_NO_STREAM = 0.02  # reads that a stream must miss, as a share of cycles, to be none
_SEEN = 95  # percent of layers that an error is stated of

_LINE = 32


def _cached(waits: int, read: int = CACHED_READ, *, prefetch: bool = True) -> MemorySystem:
    return MemorySystem(waits, read, _LINE, CACHED_CODE // _LINE, 8, prefetch=prefetch, rules=True)


def _bare(waits: int, *, prefetch: bool = True) -> MemorySystem:
    return MemorySystem(waits, BARE_READ, BARE_READ, prefetch=prefetch, rules=True)


BOARDS: Mapping[str, MemorySystem] = {
    "cached": _cached(5, prefetch=False),
    "ahead": _cached(5),
    "quick": _cached(2),
    "narrow": _cached(5, BARE_READ),
    "bare": _bare(5, prefetch=False),
    "bare_ahead": _bare(2),
    "bare_slow": _bare(5),
}
"""What kernels are counted on; those without prefetch tell the reads, the others what is waited."""

_EXPOSED = ("quick", "ahead", "narrow")
_EXPOSED_BARE = ("bare_ahead", "bare_slow")


@dataclass(frozen=True, slots=True)
class BoardRows:
    """Layers of one kernel: what was counted of the core, and on each board."""

    rows: Sequence[Row]
    stalls: Mapping[str, Sequence[Stalls]]

    def values(self, board: str, of: Callable[[Stalls], float]) -> Array:
        """One cause on one board, by layer."""
        return np.array([of(stalls) for stalls in self.stalls[board]], float)


def fitted_waits(counted: BoardRows) -> Waits:
    """Coefficients by part; errors are not stated yet."""
    cached, bare = BOARDS["cached"].wait_states, BOARDS["bare"].wait_states
    code = counted.values("cached", _code) / cached
    bare_code = counted.values("bare", _code) / bare
    constants = counted.values("cached", _constants) / cached
    loads = counted.values("bare", _constants) / bare
    streamed, beside = _stream(counted, constants)
    return Waits(
        cached=_fit(counted.rows, code),
        bare=_fit(counted.rows, bare_code),
        literals=beside,
        loads=_fit(counted.rows, loads),
        rules=_signed(counted.rows, counted.values("cached", _rules)),
        streamed=streamed,
        exposed=_curve(counted, _EXPOSED, code * CACHED_READ),
        exposed_bare=_curve(counted, _EXPOSED_BARE, bare_code * BARE_READ),
        contention=_contention(counted, "ahead", constants),
        contention_bare=_contention(counted, "bare_ahead", loads),
        errors={},
        mixed=_fit(counted.rows, counted.values("cached", _mixed)),
    )


def _contention(counted: BoardRows, board: str, reads: Array) -> float:
    """How much longer reads of constants take where others are made ahead."""
    alone = BOARDS[board].wait_states * (reads / _cycles(counted.rows)).sum()
    waited = (counted.values(board, _constants) / _cycles(counted.rows)).sum()
    return round(max(1.0, float(waited / alone)), 3) if alone else 1.0


def _code(stalls: Stalls) -> float:
    return stalls.code


def _constants(stalls: Stalls) -> float:
    return stalls.constants


def _rules(stalls: Stalls) -> float:
    return stalls.rules


def _mixed(stalls: Stalls) -> float:
    return stalls.mixed


def _stream(counted: BoardRows, reads: Array) -> tuple[str, Mapping[str, float]]:
    """The part each of which reads all weights, and what is read beside that.

    The one that leaves least to tell; weights that the cache holds are read once in any case.
    None of them where weights are read here and there, as those of trees.
    """
    weights = np.array([row.weights_bytes for row in counted.rows], float)
    held = np.array([held_in(BOARDS["cached"], row.weights_bytes) for row in counted.rows])
    alone = _fit(counted.rows, reads)
    found = []
    for part in _parts(counted.rows) if weights.any() else ():
        times = np.array([max(1.0, row.parts.get(part, 0.0)) for row in counted.rows])
        stream = weights * np.where(held, 1.0, times) / CACHED_READ
        beside = _fit(counted.rows, np.maximum(0.0, reads - stream))
        missed = stream + _of(beside, counted.rows) - reads
        found.append((_spread(counted.rows, missed), part, beside))
    error, part, beside = min(found, key=lambda one: one[0], default=(np.inf, "", alone))
    no_stream = _spread(counted.rows, _of(alone, counted.rows) - reads)
    apart = error > _NO_STREAM and no_stream < error / 2
    return ("", alone) if apart else (part, beside)


def _spread(rows: Sequence[Row], missed: Array) -> float:
    """Root mean square of what was missed, as a share of the cycles of each layer."""
    return float(np.sqrt(np.square(missed / _cycles(rows)).mean()))


def _curve(counted: BoardRows, boards: Sequence[str], nbytes: Array) -> Mapping[float, float]:
    """What is waited for code of what would be without reads that are made ahead."""
    found = {}
    for name in boards:
        board, cycles = BOARDS[name], _cycles(counted.rows)
        all_of_it = (board.wait_states * nbytes / board.read_bytes / cycles).sum()
        waited = (counted.values(name, _code) / cycles).sum()
        share = min(1.0, float(waited) / float(all_of_it)) if all_of_it else 1.0
        found[board.wait_states / board.read_bytes] = round(share, 3)
    return found


def _parts(rows: Sequence[Row]) -> list[str]:
    return [p for p in dict.fromkeys(p for r in rows for p in r.parts) if _varies(rows, p)]


def _varies(rows: Sequence[Row], part: str) -> bool:
    return any(row.parts.get(part, 0.0) > 0 for row in rows)


def _cycles(rows: Sequence[Row]) -> Array:
    return np.array([row.cycles for row in rows], float)


def _counts(rows: Sequence[Row], parts: Sequence[str]) -> Array:
    return np.array([[row.parts.get(part, 0.0) for part in parts] for row in rows])


def _of(found: Mapping[str, float], rows: Sequence[Row]) -> Array:
    made = _counts(rows, tuple(found)) @ np.array(tuple(found.values()), float)
    return np.asarray(made, float)


def _fit(rows: Sequence[Row], values: Array) -> Mapping[str, float]:
    """Coefficients >= 0 that least miss values, each as a share of the cycles of its layer."""
    parts = _parts(rows)
    weighted = _counts(rows, parts) / _cycles(rows)[:, None]
    scale = weighted.max(axis=0)
    found = nonnegative(weighted / scale, values / _cycles(rows)) / scale
    return {p: round(float(x), 3) for p, x in zip(parts, found, strict=True) if x >= 0.0005}


def _signed(rows: Sequence[Row], values: Array) -> Mapping[str, float]:
    """The same with coefficients of any sign, small ones where parts go together."""
    parts = _parts(rows)
    weighted = _counts(rows, parts) / _cycles(rows)[:, None]
    scale = weighted.max(axis=0)
    a = weighted / scale
    damped = np.concatenate([a, 1e-3 * np.eye(len(parts))])
    b = np.concatenate([values / _cycles(rows), np.zeros(len(parts))])
    found = np.linalg.lstsq(damped, b, rcond=None)[0] / scale
    return {p: round(float(x), 3) for p, x in zip(parts, found, strict=True) if abs(x) >= 0.0005}


def count_boards(backend: str, thin: int = 1) -> Mapping[str, BoardRows]:
    """Layers of the sweep by kernel function on all boards, of one case in ``thin``.

    Raises:
        ToolMissing, ToolFailed: compiler or emulator missing, or failed.
    """
    boards = {name: count_kernels(backend, thin, memory) for name, memory in BOARDS.items()}
    first = next(iter(boards.values()))
    return {
        kernel: BoardRows(
            rows, {board: [row.stalls for row in found[kernel]] for board, found in boards.items()}
        )
        for kernel, rows in first.items()
    }


def stall_errors(counted: BoardRows, waits: Waits, code_bytes: int) -> Mapping[str, float]:
    """By board, how far most layers are off."""
    found = {}
    for board, memory in BOARDS.items():
        missed = []
        for row, stalls in zip(counted.rows, counted.stalls[board], strict=True):
            made = modelled_stalls(waits, memory, code_bytes, row.weights_bytes, row.parts)
            both = (row.cycles or 0) + stalls.cycles
            missed.append(abs(made.cycles - stalls.cycles) / max(1.0, both))
        found[board] = round(float(np.percentile(missed, _SEEN)) + 0.0005, 3)
    return found


def boards_text(
    backend: str, counted: Mapping[str, BoardRows], networks: Mapping[str, float]
) -> str:
    """`board.toml` of a set; ``networks`` are errors over whole networks that were counted."""
    sizes, tables = kernel_sizes(backend), []
    for name, rows in sorted(counted.items()):
        waits, size = fitted_waits(rows), sizes[name].code_bytes
        waits = replace(waits, errors=stall_errors(rows, waits, size))
        tables.append(_table(name, waits, len(rows.rows)))
    tables.append("".join(["[networks]\n", *(f"{n} = {e:.4f}\n" for n, e in networks.items())]))
    return _HEAD.format(backend=backend) + "\n".join(tables)


def _table(name: str, waits: Waits, shapes: int) -> str:
    """A table of TOML."""
    lines = [f"[kernels.{name}]"]
    for key in ("cached", "bare", "literals", "loads", "rules", "mixed"):
        listed = ", ".join(f"{part} = {value}" for part, value in getattr(waits, key).items())
        lines.append(f"{key} = {{ {listed} }}" if listed else f"{key} = {{}}")
    lines.append(f'streamed = "{waits.streamed}"')
    for key in ("exposed", "exposed_bare"):
        listed = ", ".join(f'"{x}" = {share}' for x, share in getattr(waits, key).items())
        lines.append(f"{key} = {{ {listed} }}")
    lines += [f"{key} = {getattr(waits, key)}" for key in ("contention", "contention_bare")]
    listed = ", ".join(f"{board} = {error:.3f}" for board, error in waits.errors.items())
    return "\n".join([*lines, f"errors = {{ {listed} }}", f"shapes = {shapes}"]) + "\n"
