# SPDX-License-Identifier: Apache-2.0
"""Tasks on a Dask cluster, by its own client: it begins tasks again whose workers die."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mcuplan.errors import ToolFailed
from mcuplan.sweep.engines import AHEAD, Answer, Cluster, lost, not_installed
from mcuplan.sweep.limit import answered
from mcuplan.sweep.tasks import Task

__all__ = ["Dask"]


class Dask(Cluster):
    """Workers of Dask."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """Rows of tasks as they end; see `Engine`."""
        if not tasks:
            return
        with self._client() as client:
            from distributed import as_completed

            waiting = iter(enumerate(tasks))
            at: dict[Any, int] = {}
            ended = as_completed()

            def more() -> None:
                most = AHEAD * max(1, sum(client.nthreads().values()))
                while len(at) < most and (one := next(waiting, None)) is not None:
                    number, task = one
                    future = client.submit(answered, task, self.timeout_s, pure=False)
                    at[future] = number
                    ended.add(future)

            more()
            for future in ended:
                number = at.pop(future)
                yield from (Answer(number, row) for row in _rows(future, tasks[number]))
                future.release()
                more()

    @contextmanager
    def _client(self) -> Iterator[Any]:
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            raise not_installed("Dask") from None
        if not self.address:
            with (
                LocalCluster(
                    n_workers=self.jobs, threads_per_worker=1, dashboard_address=None
                ) as cluster,
                Client(cluster) as client,
            ):
                yield client
            return
        try:
            client = Client(self.address)
        except (OSError, ValueError) as error:
            said = f"no scheduler answers: {str(error)[:160]}"
            hint = "the address that `dask scheduler` prints, as tcp://HOST:8786"
            raise ToolFailed(said, self.address, hint) from None
        with client:
            yield client


def _rows(future: Any, task: Task) -> Iterator[Any]:
    """Of a task that has ended, be it because its workers did."""
    if future.status == "finished":
        yield from future.result()
        return
    error = future.exception() if future.status == "error" else None
    said = type(error).__name__ if error is not None else future.status
    yield from lost(task, said)
