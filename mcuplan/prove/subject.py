# SPDX-License-Identifier: Apache-2.0
"""What is proved: generated code beside the plan and the graph that it was made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from mcuplan.emit import Bundle, BundlePort
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph
from mcuplan.ir.types import Array
from mcuplan.memory_system import MemorySystem
from mcuplan.passes.dead_channels import Removal
from mcuplan.prove.api import BundleApi, DeadBytes, IoPort, KeptBytes
from mcuplan.prove.boundary import feeds_of
from mcuplan.prove.dumps import Part, output_parts
from mcuplan.prove.kept import kept_bytes
from mcuplan.schedule.assembly.dead import dead_bytes
from mcuplan.schedule.program import Plan

__all__ = ["Subject"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is proved: generated code and the plan and graph it was made of.

    Where dead channels were removed, the whole graph says what is right.
    """

    bundle: Bundle
    plan: Plan
    removal: Removal | None = None
    library: Mapping[PurePosixPath, str] = field(default_factory=dict)  # of the user's, it calls

    @property
    def files(self) -> Mapping[PurePosixPath, str]:
        """What is compiled, and its headers."""
        return {**self.bundle.files, **self.library}

    @property
    def graph(self) -> Graph:
        """The lowered graph in execution order."""
        return self.plan.program.graph

    @property
    def memory(self) -> MemorySystem | None:
        """What the board that is planned for reads code and constants from."""
        return self.plan.program.target.memory

    def expected(self, feeds: Mapping[str, Array], names: Iterable[str]) -> Mapping[str, Array]:
        """What the code must compute for tensors of the graph."""
        if self.removal is None:
            return evaluate(self.graph, feeds, names)
        wanted = tuple(names)
        known = [name for name in wanted if name in self.removal.whole.tensors]
        own_feeds = feeds_of(self.graph, self.removal.whole, feeds)
        whole = evaluate(self.removal.whole, own_feeds, known)
        found = {name: self.removal.surviving(name, array) for name, array in whole.items()}
        own = [name for name in wanted if name not in found]  # sums that plans by rows gather
        return {**found, **(evaluate(self.graph, feeds, own) if own else {})}

    def arrays(self, feeds: Mapping[str, Array]) -> tuple[Array, ...]:
        """Feeds in the order of the ports, one flat row a sample."""
        arrays = (feeds[port.tensor] for port in self.graph.app_inputs)
        return tuple(a.reshape(len(a), -1) for a in arrays)

    def api(self) -> BundleApi:
        """The bundle's names for the harness."""
        bundle = self.bundle
        return BundleApi(
            name=bundle.name,
            header=f"{bundle.name}.h",
            regions=tuple((member, f"{bundle.name}_{member}_t") for member, _ in bundle.regions),
            inputs=_ports(bundle.inputs),
            outputs=_ports(bundle.outputs),
            steps=bundle.steps,
            sections=bundle.sections,
            fed_rows=bundle.fed_rows,
            finishing=bundle.finishing,
            states=tuple((s.region, s.offset, s.nbytes) for s in bundle.states),
        )

    def parts(self) -> tuple[Part, ...]:
        """What every step makes, right after it ran."""
        return tuple(output_parts(self.plan, self._members()))

    def dead(self) -> tuple[DeadBytes, ...]:
        """What no later step, or run of rows, needs."""
        members = self._members()
        return tuple(
            DeadBytes(step, members[region], offset, nbytes)
            for step, region, offset, nbytes in dead_bytes(self.plan)
        )

    def kept(self) -> tuple[KeptBytes, ...]:
        """What a step, or a run of rows, must not write."""
        members = self._members()
        sizes = dict(self.bundle.regions)
        arenas = {region: sizes[member] for region, member in members.items()}
        return tuple(
            KeptBytes(step, members[region], offset, nbytes)
            for step, region, offset, nbytes in kept_bytes(self.plan, arenas)
        )

    def _members(self) -> Mapping[str, str]:
        """The bundle's name of each region."""
        names = [member for member, _ in self.bundle.regions]
        return dict(zip(self.plan.memory, names, strict=True))


def _ports(ports: Iterable[BundlePort]) -> tuple[IoPort, ...]:
    return tuple(
        IoPort(p.accessor, p.nbytes, p.dtype, p.quant is not None, p.planes) for p in ports
    )
