# SPDX-License-Identifier: Apache-2.0
"""Where a float model loses precision: the noise of its layers, together and alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from mcuplan.findings import Finding, Severity
from mcuplan.ir.graph import Graph
from mcuplan.ir.op import NO_CLAMP
from mcuplan.ir.types import Array
from mcuplan.passes.needed import needed, told_apart
from mcuplan.prove.compare import LayerError, RuntimeValues, layers_alone, on_grid
from mcuplan.prove.outputs import LARGEST, decibels, differences
from mcuplan.record import LayerNoise
from mcuplan.safe_text import arguments

__all__ = ["FloatLayers", "sensitivity_findings"]

_ALONE = 64  # samples that layers are computed alone on
_SATURATED = 0.01  # of the values of a layer
_SHOWN = 3


class FloatLayers:
    """Layers of a float model against its own values.

    Together, errors of earlier layers included; alone, with the float model's values, rounded, as
    inputs; and how many of its values lie beyond the grid.
    """

    def __init__(self, graph: Graph) -> None:
        """Start without samples; ``graph`` is lowered."""
        self._graph = graph
        grids = ((name, tensor.type.quant) for name, tensor in graph.tensors.items())
        ends = {name: q.ends for name, q in grids if q is not None and q.axis is None}
        self._seen, self._read = needed(graph, ends), told_apart(graph)
        self._together: dict[str, Array] = {}
        self._alone: dict[str, Array] = {}
        self._beyond: dict[str, Array] = {}
        self._samples = 0

    def update(
        self, feeds: Mapping[str, Array], ours: Mapping[str, Array], block: RuntimeValues
    ) -> None:
        """See samples, as :class:`~mcuplan.prove.compare.QuantizedLayers` does."""
        inner = {name: self._told_apart(name, each) for name, each in block.inner.items()}
        real = {name: each for name, each in inner.items() if each.dtype.kind == "f"}
        for name, values in real.items():
            if name in ours:
                self._add(self._together, name, ours[name], values)
                self._beyond.setdefault(name, np.zeros(2))[:] += self._saturated(name, values)
        if self._samples >= _ALONE:
            return
        samples = len(block.outputs[0])
        self._samples += samples
        given = {n: on_grid(self._graph.tensor(n), v) for n, v in inner.items()}
        seen: dict[str, int] = {}
        for name, mine, _ in layers_alone(self._graph, {**given, **feeds}, samples):
            if name in real:  # whole, or sample by sample
                at = seen.get(name, 0)
                seen[name] = at + mine.size
                self._add(self._alone, name, mine, real[name].reshape(-1)[at : at + mine.size])

    def _told_apart(self, name: str, values: Array) -> Array:
        """Values without what readers do not tell apart, which grids need not hold."""
        low, high = self._seen.get(name, NO_CLAMP)
        if values.dtype.kind != "f":
            return values
        held = self._graph.tensor(name).type.quant is not None
        values = self._read[name](values) if held and name in self._read else values
        return values if math.isinf(low) and math.isinf(high) else np.clip(values, low, high)

    def _add(self, sums: dict[str, Array], name: str, mine: Array, real: Array) -> None:
        """Squares of the difference, and of the values, where the model's own are finite."""
        known = np.isfinite(real).reshape(-1)
        wanted = real.reshape(-1)[known]
        ours = self._told_apart(name, self._graph.tensor(name).type.real(mine))  # of a wider grid
        found = ours.reshape(-1)[known]
        apart = np.square(differences(wanted, found)).sum(), np.square(wanted).sum()
        sums.setdefault(name, np.zeros(2))[:] += apart

    def _saturated(self, name: str, values: Array) -> tuple[int, int]:
        """Values beyond a grid by more than a step, and all of them."""
        grid = self._graph.tensor(name).type.quant
        if grid is None:
            return 0, values.size
        low, high = grid.ends[0] - grid.s, grid.ends[1] + grid.s
        return int(((values < low) | (values > high)).sum()), values.size

    def result(self) -> Mapping[str, LayerError]:
        """By our tensor, in order."""
        names = (name for node in self._graph.nodes for name in node.outputs)
        return {name: self._error(name) for name in names if name in self._together}

    def _error(self, name: str) -> LayerError:
        apart, size = self._together[name]
        alone = self._alone.get(name)
        beyond, many = self._beyond[name]
        noise = LayerNoise(
            decibels(size, apart),
            decibels(alone[1], alone[0]) if alone is not None else None,
            round(float(beyond / max(many, 1)), 6),
        )
        error = min(float(np.sqrt(apart / size)), LARGEST) if size else 0.0
        return LayerError(name, error=error, noise=noise)


_POOR = frozenset(
    {"verify/accuracy", "verify/constant-output", "verify/layer-error", "verify/sqnr"}
)


def sensitivity_findings(
    layers: Mapping[str, LayerError], name_of: Callable[[str], str], found: Iterable[Finding]
) -> Iterator[Finding]:
    """Layers that saturate, and the most sensitive ones where the outputs are poor.

    Args:
        layers: by tensor.
        name_of: what makes a tensor, by the name the user knows.
        found: what was found of the outputs.
    """
    noise = {name: each.noise for name, each in layers.items() if each.noise is not None}
    shares = sorted((each.saturated, name_of(name)) for name, each in noise.items())
    cut = {layer: share for share, layer in shares if share > _SATURATED}
    if cut:
        worst = max(cut, key=lambda layer: cut[layer])
        more = f"; so are {len(cut) - 1} other layers" if len(cut) > 1 else ""
        yield Finding(
            "verify/saturated",
            Severity.WARNING,
            f"{100 * cut[worst]:.1f} % of the float model's values are beyond the grid{more}",
            worst,
            "calibrate with more representative inputs, or with an --observer that clips less",
        )
    alone = {name: each.alone_db for name, each in noise.items()}
    known = sorted((db, name_of(name)) for name, db in alone.items() if db is not None)
    if len(known) > _SHOWN and any(finding.code in _POOR for finding in found):
        said = ", ".join(f"{layer} {db:.1f} dB" for db, layer in known[:_SHOWN])
        option = f"--layer-dtype {known[0][1]}=float32"
        yield Finding(
            "verify/sensitive-layers",
            Severity.NOTE,
            f"least signal to noise of layers alone: {said}",
            hint=f"{arguments((option,))}; --all shows every layer",
        )
