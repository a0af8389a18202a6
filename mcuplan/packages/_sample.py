# SPDX-License-Identifier: Apache-2.0
"""One sample as the C code takes it, and the outputs that the reference has for it."""

from __future__ import annotations

from dataclasses import dataclass

from mcuplan.calibrate import Data, random_data, read_data
from mcuplan.emit import Bundle, BundlePort
from mcuplan.ir.types import Array
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.prove.proofs import Subject
from mcuplan.record import Planned

__all__ = ["Sample", "sample_of"]


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of every input and output in the order of C; ``origin`` says whose they are."""

    origin: str
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]


def sample_of(planned: Planned, bundle: Bundle) -> Sample:
    """The first sample of the calibration, else a made-up one.

    Raises:
        DataError: the samples asked for do not fit the model.
    """
    graph, data = planned.integer, _data(planned)
    feeds = boundary_inputs(graph, data.first(1))
    subject = Subject(bundle, planned.plan, planned.removal)
    found = subject.expected(feeds, [port.tensor for port in graph.app_outputs])
    taken = zip(bundle.inputs, graph.app_inputs, strict=True)
    return Sample(
        "made-up values" if data.random else "the first sample of the calibration data",
        tuple(_in_c(bundle, port, feeds[own.tensor]) for port, own in taken),
        tuple(found[port.tensor] for port in graph.app_outputs),
    )


def _data(planned: Planned) -> Data:
    request, ports = planned.request, planned.model.graph.app_inputs
    if planned.calibration is not None:
        return planned.calibration.data
    if request.calibration is None:
        return random_data(ports)
    return read_data(request.calibration, ports, request.reading, bar=request.bar)


def _in_c(bundle: Bundle, port: BundlePort, values: Array) -> Array:
    """Values as C takes them: rows that are fed may be planes."""
    if not (bundle.fed_rows and port.planes):
        return values
    rows: Array = values.reshape(bundle.fed_rows, -1, port.planes).transpose(0, 2, 1)
    return rows
