# SPDX-License-Identifier: Apache-2.0
"""Puts faults into a copy of the tool, one at a time, and demands that ``verify`` fails.

    python tests/mutation/mutate.py             all mutants (nightly: a quarter of an hour)
    python tests/mutation/mutate.py --only TEXT those whose name contains it
    python tests/mutation/mutate.py --list      their names

Exit status 0: every mutant is caught, or explained as equivalent.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import queue
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from mutants import MUTANTS, Mutant
from mutation_nets import RUNS, write_nets

__all__ = ["ROOT", "Bench", "survivors"]

ROOT = Path(__file__).resolve().parents[2]
_PARTS = ("mcuplan", "codegen", "targets")
_TIMEOUT_S = 600
_HEAVY = ("numpy", "onnx", "onnxruntime", "click")  # loaded once, before processes fork


class Bench:
    """A copy of the tool in which one file at a time is wrong."""

    def __init__(self, folder: Path) -> None:
        self.tool, self.work = folder / "tool", folder / "work"
        folder.mkdir(exist_ok=True)
        for part in _PARTS:
            shutil.copytree(ROOT / part, self.tool / part)
        spec = find_spec("mcuplan")  # not imported: the copy is
        assert spec is not None
        assert spec.origin is not None
        tested = Path(spec.origin).parent  # where the cores are built
        for core in tested.glob("solvers/*/_*core.*"):
            shutil.copy(core, self.tool / "mcuplan" / core.relative_to(tested))
        self.work.mkdir()
        write_nets(self.work)

    def status(self, run: str, mutant: Mutant | None = None) -> int:
        """Exit status of ``verify`` with a mutant, or without.

        Raises:
            LookupError: the text that the mutant changes is not there.
        """
        if mutant is None:
            return self._verify(run)
        path = self.tool / mutant.file
        right = path.read_text(encoding="utf-8")
        if mutant.old not in right:
            raise LookupError(f"not found: {mutant.name}")
        path.write_text(right.replace(mutant.old, mutant.new, 1), encoding="utf-8")
        try:
            return self._verify(run)
        finally:
            path.write_text(right, encoding="utf-8")
            os.utime(path)

    def _verify(self, run: str) -> int:
        # Fork: what is heavy is loaded already, the tool itself is loaded from the copy.
        child = multiprocessing.get_context("fork").Process(
            target=_run_tool, args=(self.tool, self.work, RUNS[run])
        )
        child.start()
        child.join(_TIMEOUT_S)
        if child.is_alive():
            child.kill()
            child.join()
        return child.exitcode if child.exitcode is not None else 1


def _run_tool(tool: Path, work: Path, run: tuple[str, tuple[str, ...]]) -> None:
    """The command in a process of its own; its exit status is the process's."""
    net, options = run
    os.chdir(work)
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(tool))
    for name in [name for name in sys.modules if name.split(".")[0] == "mcuplan"]:
        del sys.modules[name]
    from mcuplan.cli import run as run_command

    target = () if "-t" in options else ("-t", "cortex-m4")
    command = ["verify", f"{net}.onnx", *target, "--calibration", "random", "--samples", "1"]
    status = run_command([*command, "--no-save", "--min-sqnr", "0", *options])
    sys.stdout.flush()
    os._exit(status)


def survivors(bench: Bench, mutants: Sequence[Mutant]) -> Iterator[str]:
    """What is wrong: mutants that pass, equivalent ones that do not, runs that fail anyway."""
    for run in dict.fromkeys(mutant.run for mutant in mutants):
        if bench.status(run) != 0:
            yield f"{run} fails without any mutant: {_said(bench)}"
            return
    for mutant in mutants:
        passes = bench.status(mutant.run, mutant) == 0
        if passes != bool(mutant.equivalent):
            yield f"{'survived' if passes else 'not equivalent'}: {mutant.name}"


def _said(bench: Bench) -> str:
    text = (bench.work / "log.txt").read_text(encoding="utf-8", errors="replace")
    return "\n".join(text.splitlines()[-12:])


def _load() -> None:
    for name in _HEAVY:
        __import__(name)


def _try(benches: queue.Queue[Bench], mutant: Mutant) -> int:
    """Exit status with a mutant, on whichever copy is free."""
    bench = benches.get()
    try:
        return bench.status(mutant.run, mutant)
    finally:
        benches.put(bench)


def main() -> int:
    """Run them, one line each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", default="", help="part of a mutant's name")
    parser.add_argument("--jobs", type=int, default=2, help="at the same time")
    parser.add_argument("--list", action="store_true", help="names only")
    asked = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if asked.only in mutant.name]
    if asked.list:
        print("\n".join(mutant.name for mutant in chosen))
        return 0
    _load()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="mcuplan-mutants-") as folder:
        benches: queue.Queue[Bench] = queue.Queue()
        for number in range(asked.jobs):
            benches.put(Bench(Path(folder) / str(number)))
        for run in dict.fromkeys(mutant.run for mutant in chosen):
            bench = benches.get()
            benches.put(bench)
            if bench.status(run) != 0:
                print(f"{run} fails without any mutant:\n{_said(bench)}")
                return 1
        with ThreadPoolExecutor(asked.jobs) as pool:
            for mutant, status in zip(
                chosen, pool.map(partial(_try, benches), chosen), strict=True
            ):
                right = (status != 0) != bool(mutant.equivalent)
                wrong += not right
                word = "caught" if status else "equivalent" if right else "SURVIVED"
                print(f"{word} ({status}) {mutant.name}", flush=True)
    print(f"{len(chosen)} mutants, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
