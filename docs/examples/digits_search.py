# SPDX-License-Identifier: Apache-2.0
"""The most accurate network for 8x8 digits that fits 8 KiB of RAM and 24 KiB of flash.

``python docs/examples/digits_search.py FOLDER``: Optuna proposes networks, `mcuplan.check` says
what each takes on the chip before any is trained, and only those that fit are. The best one is
trained again on all training images, and `mcuplan.verify` proves its code on images that nobody has
seen. Takes `pip install 'mcuplan[search]'`, and a cross compiler and an emulator for the proof. One
seed makes one result: candidates are asked for in pairs, whatever takes longer.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import optuna
from sklearn.datasets import load_digits
from small_cnn import Layer, Network, Settings, fit, score, to_onnx
from threadpoolctl import threadpool_limits

import mcuplan

TARGET, RAM, FLASH = "stm32g071", "8K", "24K"
SHAPE, CLASSES = (8, 8, 1), 10
TEST, HELD_BACK = 500, 400  # images at the end of the file, and in front of these
SEED, TOGETHER = 15, 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network, and how fast it is trained."""

    layers: tuple[Layer, ...]
    flat: bool
    rate: float

    def network(self) -> Network:
        """With weights that were never trained."""
        return Network.of(SHAPE, self.layers, CLASSES, self.flat, SEED)


def proposed(trial: optuna.Trial) -> Candidate:
    """A stem and up to four blocks, each a convolution or one that is separable."""
    layers = [Layer(trial.suggest_int("stem", 8, 32, step=8))]
    small = 0
    for block in range(trial.suggest_int("blocks", 1, 4)):
        channels = trial.suggest_int(f"channels{block}", 16, 64, step=8)
        separable = trial.suggest_categorical(f"separable{block}", [True, False])
        halved = trial.suggest_categorical(f"halved{block}", [False, True]) and small < 2
        small += halved
        stride, before = 1 + halved, layers[-1].channels
        if separable:
            layers.append(Layer(before, stride=stride, depthwise=True))
            layers.append(Layer(channels, 1, adds=channels == before and not halved))
        else:
            layers.append(Layer(channels, stride=stride))
    flat = trial.suggest_categorical("flat", [False, True])
    return Candidate(tuple(layers), flat, trial.suggest_float("rate", 3e-3, 2e-2, log=True))


def priced(network: Network) -> mcuplan.Report:
    """What a network takes on the chip; its weights do not matter for that."""
    limits = {"max_ram": RAM, "max_flash": FLASH}
    return mcuplan.check(to_onnx(network, SHAPE), TARGET, effort="fast", **limits)


def excess(report: mcuplan.Report) -> float:
    """How much of its limits a network takes, where that is too much: above 1; else 0."""
    most = max(
        report.ram.total_bytes / report.ram.budget_bytes,
        report.flash.total_bytes / report.flash.budget_bytes,
    )
    return most if report.verdict.status.value != "fits" else 0.0


def images() -> tuple[np.ndarray, np.ndarray]:
    """All images, grey levels in 0..1, and what they show; the order is that of the file."""
    digits = load_digits()
    return (digits.images / 16).astype(np.float32)[..., None], digits.target


def trained(candidate: Candidate, epochs: int, whole: bool = False) -> tuple[Network, float, float]:
    """A network, its accuracy on images that are held back, and their mean cross-entropy.

    Args:
        candidate: what to train.
        epochs: passes over the images.
        whole: whether to train on those that are held back, too; their accuracy says nothing then.
    """
    every, labels = images()
    held = slice(len(every) - TEST - HELD_BACK, len(every) - TEST)
    seen = slice(0, held.stop if whole else held.start)
    network = candidate.network()
    with threadpool_limits(1):
        fit(network, every[seen], labels[seen], Settings(epochs, SEED, rate=candidate.rate))
        return network, *score(network, every[held], labels[held])


def _valued(candidate: Candidate, epochs: int) -> float:
    """Accuracy; of those that are alike in that, the one with less cross-entropy is better."""
    _, accuracy, loss = trained(candidate, epochs)
    return accuracy - loss / 1000


def searched(trials: int, epochs: int) -> tuple[Candidate, Mapping[str, int]]:
    """The best candidate that fits, and how many were priced, did not fit, and were trained."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=SEED, multivariate=True, constant_liar=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    known: dict[Candidate, float] = {}
    counts = {"priced": 0, "over": 0, "trained": 0}
    with ProcessPoolExecutor(TOGETHER, get_context("spawn")) as workers:
        while len(known) < trials:
            asked = []
            while len(asked) < TOGETHER:
                trial = study.ask()
                candidate = proposed(trial)
                counts["priced"] += 1
                over = excess(priced(candidate.network()))
                if over or candidate in known:
                    counts["over"] += over > 0
                    study.tell(trial, -over if over else known[candidate])
                else:
                    asked.append((trial, candidate))
            running = [workers.submit(_valued, candidate, epochs) for _, candidate in asked]
            for (trial, candidate), value in zip(asked, running, strict=True):
                known[candidate] = value.result()
                study.tell(trial, known[candidate])
    best = max(known, key=lambda candidate: known[candidate])
    return best, counts | {"trained": len(known)}


def proved(network: Network, folder: Path, places: Sequence[str]) -> mcuplan.Report:
    """Write model and images, and the report of building and running it on those of the test."""
    every, labels = images()
    planes = every.transpose(0, 3, 1, 2)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(to_onnx(network, SHAPE).SerializeToString())
    np.savez_compressed(folder / "calibration.npz", input=planes[:-TEST:12])
    np.savez_compressed(folder / "test.npz", input=planes[-TEST:], labels=labels[-TEST:])
    options = {"max_ram": RAM, "max_flash": FLASH, "on": list(places), "samples": 10}
    data = {"calibration": folder / "calibration.npz", "inputs": folder / "test.npz"}
    return mcuplan.verify(folder / "model.onnx", TARGET, **options, **data)


def figures(report: mcuplan.Report) -> dict[str, Any]:
    """What is said of the winner."""
    accuracies = [v.accuracy for v in report.verification if v.accuracy is not None]
    return {
        "verdict": report.verdict.status.value,
        "accuracy": accuracies[0].integer,
        "accuracy_float": accuracies[0].float_,
        "ram_bytes": report.ram.total_bytes,
        "flash_bytes": report.flash.total_bytes,
        "cycles": report.latency.cycles,
        "macs": report.totals.macs,
        "parameters": report.totals.parameters,
    }


def main() -> None:
    """Search, train, prove, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where model, images and figures are written")
    parser.add_argument("--trials", type=int, default=60, help="networks that are trained")
    parser.add_argument(
        "--epochs", type=int, default=20, help="of each; the winner has 5 times so many"
    )
    parser.add_argument("--on", nargs="+", default=["host", "emulator"], help="where to prove it")
    asked = parser.parse_args()
    begun = monotonic()
    best, counts = searched(asked.trials, asked.epochs)
    network, _, _ = trained(best, 5 * asked.epochs, whole=True)
    found = counts | figures(proved(network, asked.folder, asked.on))
    found |= {"flat": best.flat, "layers": [asdict(layer) for layer in best.layers]}
    (asked.folder / "figures.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    print(json.dumps(found))
    print(f"{(monotonic() - begun) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
