# SPDX-License-Identifier: Apache-2.0
"""A kernel for every step."""

from __future__ import annotations

from mcuplan.backends import backend_kernels
from mcuplan.errors import Problems, UnsupportedOp
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import Kernel, Signature
from mcuplan.ops import kernels_of
from mcuplan.schedule.program import Program, Step
from mcuplan.targets import Target

__all__ = ["select_kernels"]


def select_kernels(graph: Graph, target: Target) -> Program:
    """Steps of an int8 graph in its order; views need none.

    The kernels of ``target.backend`` that the core can run and that support the step come
    first, then the portable ones.

    Raises:
        Problems: nodes that no kernel runs, all of them.
    """
    errors: list[UnsupportedOp] = []
    steps: list[Step] = []
    for node in graph.nodes:
        if node.op.is_view:
            continue
        step = _step(graph, node, target, len(steps))
        if step is None:
            message = f"no int8 kernel runs {node.op.label}"
            errors.append(UnsupportedOp(message, graph.node_name(node), "report the model"))
        else:
            steps.append(step)
    Problems.raise_if_any(errors)
    return Program(graph, target, tuple(steps))


def _step(graph: Graph, node: Node, target: Target, index: int) -> Step | None:
    signature = graph.signature(node)
    kernel = _first((*_fast(node, target), *kernels_of().get(type(node.op), ())), signature)
    if kernel is None:
        return None
    return Step(
        index=index,
        node=node,
        signature=signature,
        kernel=kernel,
        calls=kernel.lower(signature),
        scratch_bytes=kernel.scratch_bytes(signature),
        cost=node.op.cost(signature.inputs, signature.outputs),
    )


def _fast(node: Node, target: Target) -> tuple[Kernel, ...]:
    """Kernels of the target's backend for an operator, as far as the core has what they need."""
    kernels = backend_kernels().get(target.backend, ())
    has = set(target.features)
    return tuple(k for k in kernels if k.op is type(node.op) and k.requires <= has)


def _first(kernels: tuple[Kernel, ...], signature: Signature) -> Kernel | None:
    return next((kernel for kernel in kernels if kernel.supports(signature)), None)
