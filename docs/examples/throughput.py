# SPDX-License-Identifier: Apache-2.0
"""How fast a sweep of the variants is: ``python docs/examples/throughput.py FOLDER``.

Runs `mcuplan sweep` on `variants` and all targets, and watches from outside: rows as they are kept,
processor time and memory of its processes (Linux). Says rows, minutes, models a second and core,
memory of a worker, and what the first and the last thousand rows cost.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from variants import variants

_TICK = os.sysconf("SC_CLK_TCK")
_PART = 1000  # rows whose cost is compared
_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Moment:
    """What is seen of a sweep: rows, seconds, processor seconds, KiB of the largest process."""

    rows: int
    seconds: float
    cpu: float
    peak: int


def main() -> None:
    """Write models, sweep them, say what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--targets", default="all")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    models = asked.folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    for number, made in enumerate(variants(asked.count)):  # kinds mixed: a sweep goes by names
        (models / f"{number:04d}_{made.name}.onnx").write_bytes(made.model.SerializeToString())
    output = asked.folder / "rows.parquet"
    words = ["sweep", f"{models}/*.onnx", "--targets", asked.targets, "--effort", "fast"]
    words += ["--jobs", str(asked.jobs), "-o", str(output)]
    moments = list(watched([sys.executable, "-m", "mcuplan", *words], Path(f"{output}.cache")))
    print("\n".join(said(moments, asked.count, asked.jobs)))


def watched(words: Sequence[str], cache: Path) -> Iterator[Moment]:
    """Moments of a process and those that it starts, the last when it has ended."""
    begun, rows, peak = monotonic(), _Lines(cache), 0
    cpu: dict[int, float] = {}
    process = subprocess.Popen(words)
    while process.poll() is None:
        for one in _descendants(process.pid):
            seconds, memory = _seen(one)
            cpu[one] = max(seconds, cpu.get(one, 0.0))
            peak = max(peak, memory if one != process.pid else 0)
        yield Moment(rows.count(), monotonic() - begun, sum(cpu.values()), peak)
        sleep(_EVERY_S)
    if process.returncode:
        raise SystemExit(process.returncode)
    yield Moment(rows.count(), monotonic() - begun, sum(cpu.values()), peak)


class _Lines:
    """Counts the rows that a sweep has kept, as files grow."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._ends, self._count = folder, dict[Path, int](), 0

    def count(self) -> int:
        """Lines of all segments; the first of each is no row."""
        for path in sorted(self._folder.glob("rows-*.jsonl")):
            if path not in self._ends:
                self._count -= 1
            with path.open("rb") as stream:
                stream.seek(self._ends.get(path, 0))
                data = stream.read()
            self._count += data.count(b"\n")
            self._ends[path] = self._ends.get(path, 0) + len(data)
        return max(0, self._count)


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def _seen(pid: int) -> tuple[float, int]:
    """Processor seconds, and KiB at most, of a process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0, 0
    peak = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), "0")
    return (int(fields[11]) + int(fields[12])) / _TICK, int(peak)


def said(moments: Sequence[Moment], models: int, jobs: int) -> list[str]:
    """Lines of figures.

    Args:
        moments: of the sweep.
        models: how many it is of.
        jobs: processes.
    """
    end = moments[-1]
    lines = [
        f"{end.rows:,} rows of {models:,} models in {end.seconds / 60:.1f} min, {jobs} processes",
        f"{models / end.cpu:.2f} models and {end.rows / end.cpu:.1f} rows for a second of a core "
        f"({end.cpu:.0f} s)",
        f"at most {end.peak / 1024:.0f} MiB for a process",
    ]
    first = next((m for m in moments if m.rows), end)
    early = next((m for m in moments if m.rows >= first.rows + _PART), None)
    late = next((m for m in reversed(moments) if m.rows <= end.rows - _PART), None)
    if early is not None and late is not None and early.rows <= late.rows:
        last = next(m for m in moments if m.rows == end.rows)
        costs = [
            1e3 * (b.cpu - a.cpu) / (b.rows - a.rows) for a, b in ((first, early), (late, last))
        ]
        more = 100 * (costs[1] / costs[0] - 1)
        lines.append(
            f"the first {_PART:,} rows: {costs[0]:.1f} ms of a core each, "
            f"the last: {costs[1]:.1f} ms ({more:+.1f} %)"
        )
    return lines


if __name__ == "__main__":
    main()
