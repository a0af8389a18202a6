# SPDX-License-Identifier: Apache-2.0
"""Figures of kernels, measured anew: what `mcuplan bench --fit` writes into the sources.

Cycles of their parts, and what they wait on boards, are fitted to counts on the emulator, code
and stack are those of the compiler. Errors over whole networks are counted where models are
given, else kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mcuplan.price.board import board_errors, forget_waits
from mcuplan.price.code import kernel_sizes
from mcuplan.price.cycles import OTHER_REFERENCES, cycles_file, forget_timings, network_errors
from mcuplan.prove.fit.boards import BOARDS, boards_text, count_boards
from mcuplan.prove.fit.calls import calls_text, count_networks
from mcuplan.prove.fit.kernels import count_kernels, cycles_text, kernels_of_set, reference
from mcuplan.prove.fit.networks import count_network
from mcuplan.prove.fit.sizes import kernel_sets, measure_sizes, sizes_text

__all__ = ["Written", "fit_calls", "fit_set", "kernel_sets"]

_THIN = {"c99": 3}  # one layer in so many is counted on boards


@dataclass(frozen=True, slots=True)
class Written:
    """A file, and how many kernels it tells about."""

    path: Path
    kernels: int


def fit_set(backend: str, models: Mapping[str, Path], codegen: Path) -> Iterator[Written]:
    """Measure one set of kernels and write its files, one after the other.

    Args:
        backend: the name of the set.
        models: by name, networks to state the error of; other known errors are kept.
        codegen: folder of kernels whose files are written.

    Raises:
        ToolMissing, ToolFailed: compiler or emulator missing, or failed.
    """
    folder = codegen / "kernels" / backend
    sizes = measure_sizes(backend)
    yield _write(folder / "sizes.toml", sizes_text(backend, sizes), len(sizes))
    if kernels_of_set(backend):  # that the reference core can run
        yield from _on_reference(backend, models, folder)
    for core in sorted(set(OTHER_REFERENCES.values())):
        if (folder / cycles_file(core)).is_file():
            rows = count_kernels(backend, core=core)
            yield _write(
                folder / cycles_file(core), cycles_text(backend, rows, {}, core), len(rows)
            )


def _on_reference(backend: str, models: Mapping[str, Path], folder: Path) -> Iterator[Written]:
    """Cycles on the reference core, and waits on boards."""
    rows, known = count_kernels(backend), network_errors(backend)
    written = _write(folder / "cycles.toml", cycles_text(backend, rows, known), len(rows))
    if models:  # with the constants just fitted
        target = reference(backend)
        own = {name: count_network(model, target)[1] for name, model in models.items()}
        _write(written.path, cycles_text(backend, rows, {**known, **own}), len(rows))
    yield written
    yield from _boards(backend, models, folder / "board.toml")


def _boards(backend: str, models: Mapping[str, Path], path: Path) -> Iterator[Written]:
    """What kernels wait on boards, and how far that is off for networks."""
    counted, known = count_boards(backend, _THIN.get(backend, 1)), board_errors(backend)
    written = _write(path, boards_text(backend, counted, known), len(counted))
    if models:
        target = replace(reference(backend), memory=BOARDS["ahead"])
        own = {name: count_network(model, target)[1] for name, model in models.items()}
        _write(path, boards_text(backend, counted, {**known, **own}), len(counted))
    yield written


def fit_calls(codegen: Path) -> Written:
    """Count random networks and write what their source takes beside kernels.

    Raises:
        ToolMissing, ToolFailed: compiler or emulator missing, or failed.
    """
    nets = count_networks()
    kernels = {step.kernel.function for net in nets for step in net.plan.program.steps}
    return _write(codegen / "templates" / "cycles.toml", calls_text(nets), len(kernels))


def _write(path: Path, text: str, kernels: int) -> Written:
    path.write_text(text, encoding="utf-8")
    kernel_sizes.cache_clear()
    forget_timings()
    forget_waits()
    return Written(path, kernels)
