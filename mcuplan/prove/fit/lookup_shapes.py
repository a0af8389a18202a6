# SPDX-License-Identifier: Apache-2.0
"""Shapes of functions: one table for all channels, and some in turn."""

from __future__ import annotations

from collections.abc import Iterator

from mcuplan.ops.channel_lookup import ChannelLookup
from mcuplan.ops.unary import Lookup, UnaryFn
from mcuplan.prove.layers import Shape

__all__ = ["looked_up"]

_KINDS = 4


def looked_up(size: tuple[int, ...]) -> Iterator[Shape]:
    """Of a tensor."""
    chain = (UnaryFn("tanh"),)
    factors = tuple(2.0 ** (c % _KINDS) for c in range(size[-1]))
    yield Shape(Lookup(chain), (size,))
    yield Shape(ChannelLookup(chain, factors, factors), (size,))
