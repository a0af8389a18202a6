# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

from mcuplan.schedule.row_state import Ints

def search(
    sizes: tuple[int, ...],
    task: tuple[int, ...],
    arrays: tuple[Ints, ...],
    stop: Callable[[], bool],
    /,
) -> tuple[int, int, int, bytes | None]: ...
