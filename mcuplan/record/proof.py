# SPDX-License-Identifier: Apache-2.0
"""What builds and runs of the generated code showed, as the report has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from mcuplan.record.layers import StallCycles
from mcuplan.record.limits import LEFT_OUT, Magnitude
from mcuplan.record.sizes import LinkedSymbol

__all__ = [
    "Accuracy",
    "BuildInfo",
    "ByClass",
    "ChannelError",
    "ClassRecall",
    "ElfFigures",
    "OutputError",
    "SampleError",
    "StackFigures",
    "Verification",
]


@dataclass(frozen=True, slots=True)
class ClassRecall:
    """The share of the samples of a class whose decision is that class.

    Attributes:
        float_: of the float model.
        integer: of the integer code.
    """

    index: int
    samples: int
    float_: float
    integer: float


@dataclass(frozen=True, slots=True)
class ByClass:
    """What single classes show, of classes that there are samples of.

    Attributes:
        f1_float: mean over the classes of the harmonic mean of precision and recall, of the float
            model.
        f1_integer: likewise, of the integer code.
        worst: the class with the least recall of the integer code.
        auc_float: of two classes, the area under the ROC curve of the float model.
        auc_integer: likewise, of the integer code.
    """

    f1_float: float
    f1_integer: float
    worst: int
    recalls: tuple[ClassRecall, ...]
    auc_float: Annotated[float | None, LEFT_OUT] = None
    auc_integer: Annotated[float | None, LEFT_OUT] = None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One score of the float model and of the integer code on the same samples.

    Attributes:
        classes: where the metric is top-1.
    """

    metric: str
    float_: float | None
    integer: float
    classes: Annotated[ByClass | None, LEFT_OUT] = None


@dataclass(frozen=True, slots=True)
class ChannelError:
    """Signal-to-noise ratio of one channel.

    Attributes:
        index: along channel_axis.
        sqnr_db: as of the whole output; null: no noise at all.
    """

    index: int
    sqnr_db: float | None


@dataclass(frozen=True, slots=True)
class OutputError:
    """An output held against the runtime on the model file, without graph optimizations.

    Attributes:
        name: as in the model file.
        sqnr_db: ratio of the runtime's squares to those of the difference, cut at 200 dB;
            null: no noise at all.
        mean_error: mean of the absolute differences, in real units.
        max_error: the largest of them.
        channel_axis: axis of the model's output along which the channels lie; null without
            channels.
        channels: where their ranges differ by more than 8 times.
    """

    name: str
    sqnr_db: float | None
    mean_error: Magnitude
    max_error: Magnitude
    channel_axis: int | None
    channels: tuple[ChannelError, ...]


@dataclass(frozen=True, slots=True)
class SampleError:
    """A sample whose outputs are far from the runtime's.

    Attributes:
        sample: which, from 0.
        steps: largest difference of an output, in steps of its grid.
    """

    sample: int
    steps: Magnitude


@dataclass(frozen=True, slots=True)
class ElfFigures:
    """Bytes of the linked image, and whether they are what the plan says."""

    data_bytes: int
    constants_bytes: int
    code_bytes: int
    agrees: bool


@dataclass(frozen=True, slots=True)
class StackFigures:
    """Static bound and painted high-water mark of the call."""

    bound_bytes: int
    measured_bytes: int | None


@dataclass(frozen=True, slots=True)
class Verification:
    """What one run of the compiled code showed; null where a run does not show it.

    Attributes:
        max_lsb: end to end against the runtime, as exact_share is.
        top1_agreement: share of samples with the runtime's decision, which is the largest score,
            of equals the first; null where no output has one score for each class.
        ties: samples on which several scores of the code are the largest.
        layer_max_lsb: of the worst layer fed with the runtime's own input (quantized models).
        cycles: of the core, with memories that never wait.
        outputs: outputs held against ONNX Runtime on the model file; in the first run's
            record.
        stall_cycles: on top of cycles, on a board whose flash is described.
        changed: samples, from 0, with another decision than the runtime's; the first thousand.
        worst: samples that are furthest from the runtime, at most five, worst first.
        calls: where rows are fed, cycles of each call of the slowest sample, stall_cycles
            included: the one that begins, one for each row, those that finish.
    """

    on: Literal["host", "emulator"]
    core: str
    samples: int
    equal_to_reference: bool
    max_lsb: int | None
    exact_share: float | None
    top1_agreement: float | None
    layer_max_lsb: int | None
    first_diverging_layer: str | None
    accuracy: Accuracy | None
    elf: ElfFigures | None
    stack: StackFigures | None
    instructions: int | None
    cycles: int | None
    outputs: tuple[OutputError, ...] = ()
    stall_cycles: Annotated[StallCycles | None, LEFT_OUT] = None
    changed: Annotated[tuple[int, ...], LEFT_OUT] = ()
    calls: Annotated[tuple[int, ...], LEFT_OUT] = ()
    worst: Annotated[tuple[SampleError, ...], LEFT_OUT] = ()
    ties: Annotated[int | None, LEFT_OUT] = None


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """What the measured figures were built with.

    Attributes:
        symbols: of the linked image, by address, and then members of libraries.
    """

    compiler: str
    flags: str
    symbols: Annotated[tuple[LinkedSymbol, ...], LEFT_OUT] = ()
