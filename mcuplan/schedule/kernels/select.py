# SPDX-License-Identifier: Apache-2.0
"""Which kernels can run each step, what each would take, and a program of the ones chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mcuplan.backends import backend_kernels
from mcuplan.errors import Problems, UnsupportedOp
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import Kernel
from mcuplan.ops import kernels_of
from mcuplan.price import expected_cycles
from mcuplan.schedule.program import Program, Step
from mcuplan.targets import Target

__all__ = ["Candidate", "candidates_of", "program_of", "select_kernels"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A step as one of the kernels would run it, with its modelled cycles.

    The index of the step is that of its node among those that are no views.
    """

    step: Step
    cycles: float


def candidates_of(graph: Graph, target: Target) -> Mapping[str, tuple[Candidate, ...]]:
    """Every way to run each node of an int8 graph, fastest first; views have none.

    Kernels of ``target.backend`` that the core can run, and the portable ones. Those that
    nobody measured come first, and equally fast ones, too, in the backend's order: it lists
    its kernels fastest first, and means them to be faster than portable code.

    Raises:
        Problems: nodes that no kernel runs, all of them.
    """
    errors: list[UnsupportedOp] = []
    found: dict[str, tuple[Candidate, ...]] = {}
    for node in graph.nodes:
        if node.op.is_view:
            continue
        ways = _ways(graph, node, target, len(found))
        if not ways:
            message = f"no int8 kernel runs {node.op.label}"
            errors.append(UnsupportedOp(message, graph.node_name(node), "report the model"))
        found[node.name] = ways
    Problems.raise_if_any(errors)
    return MappingProxyType(found)


def program_of(graph: Graph, target: Target, chosen: Mapping[str, Candidate]) -> Program:
    """The steps of a graph in its order; ``chosen`` goes by the names of the nodes."""
    return Program(graph, target, tuple(candidate.step for candidate in chosen.values()))


def select_kernels(graph: Graph, target: Target) -> Program:
    """The fastest kernel for each step of an int8 graph in its order.

    Raises:
        Problems: nodes that no kernel runs, all of them.
    """
    ways = candidates_of(graph, target)
    return program_of(graph, target, {name: found[0] for name, found in ways.items()})


def _ways(graph: Graph, node: Node, target: Target, index: int) -> tuple[Candidate, ...]:
    signature = graph.signature(node)
    kernels = (*_fast(node, target), *kernels_of().get(type(node.op), ()))
    supported = [kernel for kernel in kernels if kernel.runs(signature)]
    expected = [expected_cycles(kernel, signature, target) for kernel in supported]
    least = min((one.cycles for one in expected if one.compares), default=0.0)
    found = []
    for kernel, one in zip(supported, expected, strict=True):
        step = Step(index, node, signature, kernel)
        found.append(Candidate(step, one.cycles if one.compares else min(one.cycles, least)))
    return tuple(sorted(found, key=lambda candidate: candidate.cycles))


def _fast(node: Node, target: Target) -> tuple[Kernel, ...]:
    """Kernels of the target's backend for an operator, as far as the core has what they need."""
    kernels = backend_kernels().get(target.backend, ())
    has = set(target.features)
    return tuple(k for k in kernels if k.op is type(node.op) and k.requires <= has)
