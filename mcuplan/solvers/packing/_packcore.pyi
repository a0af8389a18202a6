# SPDX-License-Identifier: Apache-2.0
from array import array
from collections.abc import Callable

INTERFACE: int

def search(
    count: int,
    sections: int,
    capacity: int,
    rule: int,
    node_limit: int,
    size: array[int],
    align: array[int],
    last_offset: array[int],
    rank: array[int],
    first: array[int],
    last: array[int],
    pinned: array[int],
    edge_start: array[int],
    edge_to: array[int],
    edge_above: array[int],
    edge_below: array[int],
    edge_shared: array[int],
    most_saved: array[int],
    weight: array[int],
    offset: array[int],
    poll: Callable[[], bool],
    /,
) -> tuple[int, int, int]: ...
def rearrange(
    count: int,
    sections: int,
    capacity: int,
    rule: int,
    node_limit: int,
    size: array[int],
    align: array[int],
    last_offset: array[int],
    rank: array[int],
    first: array[int],
    last: array[int],
    pinned: array[int],
    edge_start: array[int],
    edge_to: array[int],
    edge_above: array[int],
    edge_below: array[int],
    edge_shared: array[int],
    most_saved: array[int],
    weight: array[int],
    offset: array[int],
    poll: Callable[[], bool],
    /,
) -> tuple[int, int, int]: ...
