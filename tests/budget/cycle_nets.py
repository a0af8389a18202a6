# SPDX-License-Identifier: Apache-2.0
"""Modelled against counted cycles of random networks, 1-D ones among them.

``python tests/budget/cycle_nets.py [COUNT [FIRST]]`` plans so many networks in all the ways that
plans run (whole, by rows, fed), counts them on the emulator, lists those that are off by more
than their plans state, and says how errors are distributed. Nightly with 200; a few run in the
tests. Nothing was fitted to networks of these seeds: `mcuplan bench --fit` takes others.
"""

from __future__ import annotations

import sys

import numpy as np

from mcuplan.prove.fit.random_networks import counted
from mcuplan.schedule.program import Streaming

FIRST = 200
"""The first seed of the networks that test the model."""


def main() -> int:
    """List what is off; status 1 if anything is."""
    given = [int(word) for word in sys.argv[1:]]
    count, first = (given + [30, FIRST][len(given) :])[:2]
    found: dict[Streaming, list[float]] = {"off": [], "auto": [], "input": []}
    wrong = 0
    for seed in range(first, first + count):
        for one in counted(seed):
            found[one.streaming].append(abs(one.off))
            missed = abs(one.off) > one.stated
            wrong += missed
            line = f"{'WRONG' if missed else 'ok':6}{seed:5} {one.streaming:6}{one.total:10,}"
            print(f"{line} {one.off:+7.2%} stated {one.stated:.2%}", flush=True)
            for text in one.worst() if missed else ():
                print(f"          {text}")
    for way, off in found.items():
        middle, most, worst = np.percentile(off, [50, 95, 100]) if off else (0, 0, 0)
        print(f"{way:6}{len(off):5} plans: median {middle:.2%}, 95 % {most:.2%}, most {worst:.2%}")
    print(f"{wrong} off by more than stated")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
