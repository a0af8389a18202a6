# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

from mcuplan.solvers.rows.state import Ints

def search(
    sizes: tuple[int, ...],
    task: tuple[int, ...],
    arrays: tuple[Ints, ...],
    stop: Callable[[], bool],
    /,
) -> tuple[int, int, int, bytes | None]: ...
