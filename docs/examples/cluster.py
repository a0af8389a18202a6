# SPDX-License-Identifier: Apache-2.0
"""How long a sweep of 100,000 models takes on 64 workers, and what limits it.

``python docs/examples/cluster.py`` simulates it, event by event, with the times of `cluster.json`;
``--measure FOLDER`` measures those anew on this machine: models, targets and rows as
`mcuplan sweep --engine dask` has them, with Dask's own client and scheduler. `docs/sweeps.md` has
the assumptions.
"""

from __future__ import annotations

import argparse
import heapq
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from time import process_time
from typing import Any

from mcuplan.sweep.engines import AHEAD, ATTEMPTS

__all__ = ["Costs", "Outcome", "simulated"]

_MEASURED = Path(__file__).with_name("cluster.json")
_LEFT, _TASK, _RESULT, _READY = "left", "task", "result", "ready"


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of one core, as measured; a task is a model on all its targets.

    Attributes:
        tasks: of computing one task, a sample; each simulated task is like one of them.
        rows: of a task.
        prepare: of the client, for each task, before the first is sent.
        hub: of client and scheduler, for each task: to send it and to take its rows.
        keep: of the client, for each row that comes.
        write: of the client, for each row, after the last has come.
        start: of a worker, until it computes.
        spread: of the speeds of workers: standard deviation of their logarithms.
        deaths: share of attempts in which the worker dies.
    """

    tasks: Sequence[float]
    rows: int
    prepare: float
    hub: float
    keep: float
    write: float
    start: float
    spread: float = 0.1
    deaths: float = 1e-4

    @property
    def mean(self) -> float:
        """Seconds of a task."""
        return sum(self.tasks) / len(self.tasks)

    @property
    def served(self) -> float:
        """Seconds of client and scheduler for a task and all its rows."""
        return self.hub + self.rows * self.keep


@dataclass(frozen=True, slots=True)
class Outcome:
    """A simulated sweep; seconds.

    Attributes:
        prepare: before the first task is sent.
        run: from then until the last row has come.
        write: of the table.
        busy: share of that run in which workers compute.
        hub: share of it in which client and scheduler work.
        tail: its end, from the moment on when some worker has nothing to do.
        begun_again: tasks whose worker died.
        given_up: those of them that were begun as often as may be.
    """

    prepare: float
    run: float
    write: float
    busy: float
    hub: float
    tail: float
    begun_again: int
    given_up: int

    @property
    def total(self) -> float:
        """Seconds from the command to the table."""
        return self.prepare + self.run + self.write

    @property
    def limit(self) -> str:
        """What a faster sweep would need most."""
        if self.hub > 0.95:
            return "client and scheduler"
        if self.prepare + self.write > self.run:
            return "the client, before and after"
        return "stragglers" if self.tail > self.run / 3 else "workers"


@dataclass(slots=True)
class _Worker:
    speed: float
    queue: deque[int] = field(default_factory=deque)
    ready: bool = False
    working: bool = False


class _Cluster:
    """Workers, and one server for client and scheduler, that serves in the order of asking."""

    def __init__(self, costs: Costs, tasks: int, workers: int, seed: int) -> None:
        self.costs, self.random = costs, Random(seed)
        self.workers = [
            _Worker(self.random.lognormvariate(0, costs.spread)) for _ in range(workers)
        ]
        self.waiting = deque(range(tasks))
        self.lengths = [self.random.choice(costs.tasks) for _ in range(tasks)]
        self.attempts: dict[int, int] = {}
        self.events: list[tuple[float, int, str, int, int]] = []
        self.number, self.free, self.served, self.computed = 0, 0.0, 0.0, 0.0
        self.begun_again = self.given_up = 0
        self.now = 0.0
        self.idle_since: float | None = None
        for index in range(workers):
            self._at(self.random.uniform(1, 1.5) * costs.start, _READY, index)
        for _ in range(AHEAD):
            for index in range(workers):
                self._send(index)

    def _at(self, time: float, kind: str, worker: int, task: int = -1) -> None:
        self.number += 1
        heapq.heappush(self.events, (time, self.number, kind, worker, task))

    def _served(self, seconds: float) -> float:
        """When client and scheduler are through with something that is asked for now."""
        self.free = max(self.free, self.now) + seconds
        self.served += seconds
        return self.free

    def _send(self, index: int) -> None:
        """A task to a worker: a waiting one, else one that another has not begun."""
        if self.waiting:
            self._at(self._served(self.costs.hub / 2), _TASK, index, self.waiting.popleft())
            return
        longest = max(self.workers, key=lambda worker: len(worker.queue))
        if longest.queue and not self.workers[index].queue and longest is not self.workers[index]:
            self._at(self._served(self.costs.hub / 2), _TASK, index, longest.queue.pop())

    def _begin(self, index: int) -> None:
        worker = self.workers[index]
        if not worker.ready or worker.working:
            return
        if not worker.queue:
            if not self.waiting and self.idle_since is None:
                self.idle_since = self.now
            return
        task = worker.queue.popleft()
        worker.working = True
        seconds = self.lengths[task] * worker.speed
        if self.random.random() < self.costs.deaths:
            seconds *= self.random.random()
            self._at(self.now + seconds, _LEFT, index, task)
        else:
            self._at(self.now + seconds, _RESULT, index, task)
        self.computed += seconds

    def _died(self, index: int, task: int) -> None:
        """Another worker takes the place of one; what that had is sent anew."""
        worker = self.workers[index]
        worker.ready = worker.working = False
        self.attempts[task] = self.attempts.get(task, 1) + 1
        again = self.attempts[task] <= ATTEMPTS
        self.begun_again += again
        self.given_up += not again
        self.waiting.extendleft([*worker.queue, task] if again else worker.queue)
        worker.queue.clear()
        self._at(self.now + self.costs.start, _READY, index)
        for other in range(len(self.workers)):
            if not self.workers[other].queue:
                self._send(other)

    def run(self) -> None:
        """Until nothing happens any more."""
        while self.events:
            self.now, _, kind, index, task = heapq.heappop(self.events)
            worker = self.workers[index]
            if kind == _READY:
                worker.ready = True
            elif kind == _TASK:
                worker.queue.append(task)
            elif kind == _LEFT:
                self._died(index, task)
            else:
                worker.working = False
                self._served(self.costs.hub / 2 + self.costs.rows * self.costs.keep)
                self._send(index)
            self._begin(index)
        self.now = max(self.now, self.free)


def simulated(costs: Costs, tasks: int, workers: int, seed: int = 15) -> Outcome:
    """A sweep of so many models on so many workers.

    Args:
        costs: measured.
        tasks: models, each with all its targets.
        workers: of one core each.
        seed: of what chance decides: lengths of tasks, speeds, deaths.
    """
    cluster = _Cluster(costs, tasks, workers, seed)
    cluster.run()
    idle = cluster.now if cluster.idle_since is None else cluster.idle_since
    return Outcome(
        prepare=tasks * costs.prepare,
        run=cluster.now,
        write=tasks * costs.rows * costs.write,
        busy=cluster.computed / (workers * cluster.now),
        hub=cluster.served / cluster.now,
        tail=cluster.now - idle,
        begun_again=cluster.begun_again,
        given_up=cluster.given_up,
    )


# -- measuring ------------------------------------------------------------------------------------


def measured(folder: Path, count: int) -> Costs:
    """Seconds of this machine's processor for everything that a sweep does.

    Args:
        folder: where models and a table are written.
        count: models to measure.
    """
    from variants import variants

    from mcuplan.options.sweeping import option_sets
    from mcuplan.sweep.cache import Rows
    from mcuplan.sweep.cases import cases_of, targets_of
    from mcuplan.sweep.keys import tool_digest
    from mcuplan.sweep.table import table_of
    from mcuplan.sweep.tasks import run_task

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for made in variants(count):
        paths.append(str(folder / f"{made.name}.onnx"))
        Path(paths[-1]).write_bytes(made.model.SerializeToString(deterministic=True))
    targets = targets_of(["all"])
    sets = list(option_sets({"changes": (), "effort": ("fast",)}, {"effort"}, {}))
    tool_digest()
    begun = process_time()
    cases = list(cases_of(paths, targets, lambda model: sets))
    prepare = (process_time() - begun) / count
    list(run_task(cases[0].task))  # what a process does once
    tasks, rows = [], []
    for case in cases:
        begun = process_time()
        rows.append(list(run_task(case.task)))
        tasks.append(round(process_time() - begun, 4))
    known = Rows(folder / "cache", tool_digest())
    begun = process_time()
    for case, each in zip(cases, rows, strict=True):
        for key, row in zip(case.keys, each, strict=True):
            known.put(key, row)
    keep = (process_time() - begun) / (count * len(targets))
    begun = process_time()
    every = (known[key] for case in cases for key in case.keys)
    (folder / "rows.parquet").write_bytes(b"".join(table_of(Path("rows.parquet"))(every)))
    write = (process_time() - begun) / (count * len(targets))
    known.close()
    hub = _dask_seconds(rows[0])
    return Costs(tasks, len(targets), prepare, hub, keep, write, start=_start_seconds(paths[0]))


def _dask_seconds(rows: list[object], count: int = 2000) -> float:
    """Of client and scheduler for each task that computes nothing and returns rows."""
    from distributed import Client, LocalCluster, as_completed

    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**settings) as cluster, Client(cluster) as client:
        client.gather(client.map(_echoed, [rows] * 10, pure=False))
        begun = process_time()  # of this process, in which both are
        first = AHEAD * settings["n_workers"]
        ended, left = as_completed(), count - first
        for _ in range(first):
            ended.add(client.submit(_echoed, rows, pure=False))
        for future in ended:
            future.result()
            future.release()
            if left:
                left -= 1
                ended.add(client.submit(_echoed, rows, pure=False))
        return (process_time() - begun) / count


def _echoed(rows: list[object]) -> list[object]:
    return rows


def _start_seconds(model: str) -> float:
    """Of a new process, until it has checked its first model."""
    import resource
    import subprocess
    import sys

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = f"import mcuplan, distributed; mcuplan.check({model!r}, 'cortex-m4', effort='fast')"
    subprocess.run([sys.executable, "-c", words], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Say how long it takes, on other numbers of workers, too."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=100_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[64])
    parser.add_argument("--measure", type=Path, metavar="FOLDER", help="anew, on this machine")
    parser.add_argument("--count", type=int, default=100, help="models to measure")
    asked = parser.parse_args()
    if asked.measure:
        found = asdict(measured(asked.measure, asked.count))
        _MEASURED.write_text(json.dumps(_rounded(found)) + "\n", "utf-8")
    costs = Costs(**json.loads(_MEASURED.read_text("utf-8")))
    for line in said(costs, asked.models, asked.workers):
        print(line)


def _rounded(value: Any) -> Any:
    """Three digits of what was measured."""
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.3g}") if isinstance(value, float) else value


def said(costs: Costs, models: int, workers: Sequence[int]) -> list[str]:
    """Lines of what a sweep takes: of all targets, and of one."""
    lines = [
        f"a task: {1e3 * costs.mean:.0f} ms for {costs.rows} rows; "
        f"client and scheduler: {1e3 * costs.served:.1f} ms, so they feed "
        f"{costs.mean / costs.served:.0f} workers"
    ]
    for count in workers:
        made = simulated(costs, models, count)
        lines.append(
            f"{models:,} models on {count} workers: {made.total / 60:.1f} min "
            f"({made.prepare:.0f} s before, {made.run:.0f} s, {made.write:.0f} s after); workers "
            f"busy {made.busy:.0%}, client and scheduler {made.hub:.0%}, tail {made.tail:.1f} s, "
            f"{made.begun_again} begun again; limit: {made.limit}"
        )
    return lines


if __name__ == "__main__":
    main()
