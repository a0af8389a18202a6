# SPDX-License-Identifier: Apache-2.0
"""What every order needs while a given step runs: a minimum cut.

Before a step runs, all its ancestors have run and none of its descendants. Among the sets
that satisfy this, the one with the fewest live bytes is a minimum cut of a network with a
node per step and per storage, because live bytes are submodular.
"""

from __future__ import annotations

from collections import deque

from mcuplan.solvers.steps.problem import Sequencing, bits

__all__ = ["least_bytes", "trivial_bytes"]

_SOURCE, _SINK = 0, 1
_ALL = 1 << 62  # a capacity that no cut reaches


def trivial_bytes(problem: Sequencing, step: int) -> int:
    """What certainly exists while a step runs: cheap, and at most :func:`least_bytes`."""
    earlier, later = problem.ancestors[step], problem.descendants[step] | 1 << step
    total = problem.extra[step]
    for storage in problem.storages:
        begun = not storage.makers or bool(storage.makers & (earlier | 1 << step))
        if begun and (storage.kept or storage.users & later):
            total += storage.nbytes
    return total - max((saved for _, saved in problem.savings[step]), default=0)


def least_bytes(problem: Sequencing, step: int) -> int:
    """Fewest bytes while a step runs, over all orders.

    The cases are: it saves nothing, or one of its savings applies because the storage
    dies at it (all other users have run). The least case counts.
    """
    later = problem.descendants[step] | 1 << step
    least = _least_live(problem, step, 0)
    for index, saved in problem.savings[step]:
        storage = problem.storages[index]
        others = storage.users & ~(1 << step)
        if saved > 0 and not storage.kept and not others & later:
            least = min(least, _least_live(problem, step, others) - saved)
    return least + problem.extra[step]


def _least_live(problem: Sequencing, step: int, forced: int) -> int:
    """Fewest live bytes, with what the step makes, when ``forced`` and all it needs has run."""
    earlier = problem.ancestors[step] | forced
    for other in bits(forced):
        earlier |= problem.ancestors[other]
    later = problem.descendants[step] | 1 << step
    free = problem.everything & ~earlier & ~later
    node = {s: 2 + i for i, s in enumerate(bits(free))}
    network = _Network(2 + len(node) + 2 * len(problem.storages))
    spare, certain = 2 + len(node), 0
    for s, at in node.items():
        for needed in bits(problem.before[s] & free):
            network.arc(at, node[needed], _ALL)
    for storage in problem.storages:
        begun = not storage.makers or bool(storage.makers & (earlier | 1 << step))
        lasts = storage.kept or bool(storage.users & later)
        if begun and lasts:
            certain += storage.nbytes
            continue
        makers, users = storage.makers & free, storage.users & free
        if not (begun or makers) or not (lasts or users):
            continue
        made, ended = _SOURCE if begun else spare, _SINK if lasts else spare + 1
        spare += 2
        network.arc(made, ended, storage.nbytes)
        for s in bits(0 if begun else makers):
            network.arc(node[s], made, _ALL)
        for s in bits(0 if lasts else users):
            network.arc(ended, node[s], _ALL)
    return certain + network.least_cut()


class _Network:
    """Arcs with capacities between numbered nodes; the cut is found by blocking flows."""

    def __init__(self, size: int) -> None:
        self.arcs: list[list[int]] = [[] for _ in range(size)]
        self.head: list[int] = []
        self.room: list[int] = []

    def arc(self, tail: int, head: int, capacity: int) -> None:
        """Add an arc and its reverse."""
        for start, end, room in ((tail, head, capacity), (head, tail, 0)):
            self.arcs[start].append(len(self.head))
            self.head.append(end)
            self.room.append(room)

    def least_cut(self) -> int:
        """Capacity of the least cut between source and sink."""
        flow = 0
        while True:
            level = self._levels()
            if level[_SINK] < 0:
                return flow
            at = [0] * len(self.arcs)
            pushed = self._push(level, at)
            while pushed:
                flow += pushed
                pushed = self._push(level, at)

    def _levels(self) -> list[int]:
        level = [-1] * len(self.arcs)
        level[_SOURCE] = 0
        queue = deque([_SOURCE])
        while queue:
            node = queue.popleft()
            for arc in self.arcs[node]:
                if self.room[arc] and level[self.head[arc]] < 0:
                    level[self.head[arc]] = level[node] + 1
                    queue.append(self.head[arc])
        return level

    def _push(self, level: list[int], at: list[int]) -> int:
        """Flow along one shortest path, 0 if there is none left."""
        path: list[int] = []
        node = _SOURCE
        while node != _SINK:
            while at[node] < len(self.arcs[node]):
                arc = self.arcs[node][at[node]]
                if self.room[arc] and level[self.head[arc]] == level[node] + 1:
                    break
                at[node] += 1
            else:
                if not path:
                    return 0
                node = self.head[path.pop() ^ 1]
                at[node] += 1
                continue
            path.append(arc)
            node = self.head[arc]
        pushed = min(self.room[arc] for arc in path)
        for arc in path:
            self.room[arc] -= pushed
            self.room[arc ^ 1] += pushed
        return pushed
