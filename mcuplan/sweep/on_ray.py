# SPDX-License-Identifier: Apache-2.0
"""Tasks on a Ray cluster, by its own client: it begins tasks again whose workers die."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mcuplan.errors import ToolFailed
from mcuplan.sweep.engines import AHEAD, ATTEMPTS, Answer, Cluster, lost, not_installed
from mcuplan.sweep.limit import answered
from mcuplan.sweep.tasks import Task

__all__ = ["Ray"]


class Ray(Cluster):
    """Workers of Ray."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """Rows of tasks as they end; see `Engine`."""
        if not tasks:
            return
        with self._cluster() as ray:
            remote = ray.remote(max_retries=ATTEMPTS - 1, num_cpus=1)(answered)
            most = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
            waiting = iter(enumerate(tasks))
            at: dict[Any, int] = {}
            while True:
                while len(at) < most and (one := next(waiting, None)) is not None:
                    at[remote.remote(one[1], self.timeout_s)] = one[0]
                if not at:
                    return
                for ended in ray.wait(list(at), num_returns=1)[0]:
                    number = at.pop(ended)
                    yield from (Answer(number, row) for row in _rows(ray, ended, tasks[number]))

    @contextmanager
    def _cluster(self) -> Iterator[Any]:
        try:
            import ray
        except ImportError:
            raise not_installed("Ray") from None
        mine = not ray.is_initialized()
        if mine:
            where = {"address": self.address} if self.address else {"num_cpus": self.jobs}
            try:
                ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
            except (OSError, ValueError, RuntimeError) as error:
                said = f"no cluster answers: {str(error)[:160]}"
                hint = "auto, or the address that `ray start --head` prints"
                raise ToolFailed(said, self.address, hint) from None
        try:
            yield ray
        finally:
            if mine:
                ray.shutdown()


def _rows(ray: Any, ended: Any, task: Task) -> Iterator[Any]:
    """Of a task that has ended, be it because its workers did."""
    try:
        yield from ray.get(ended)
    except ray.exceptions.RayError as error:
        yield from lost(task, type(error).__name__)
