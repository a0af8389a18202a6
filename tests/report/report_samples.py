# SPDX-License-Identifier: Apache-2.0
"""A budget written by hand, with every part filled and awkward names in it."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

from mcuplan.findings import Finding, Severity
from mcuplan.record import (
    SCHEMA,
    Accuracy,
    Baseline,
    Budget,
    BufferRow,
    BuildInfo,
    ChannelError,
    ElfFigures,
    Energy,
    Flash,
    Growth,
    Latency,
    LayerRow,
    LevelRow,
    LinkedSymbol,
    ModelInfo,
    ModelName,
    ModelPort,
    Naive,
    OutputError,
    Peak,
    Ram,
    RegionUse,
    Selection,
    StackFigures,
    StallCycles,
    Status,
    TargetInfo,
    Totals,
    Undecided,
    Verdict,
    Verification,
)
from mcuplan.units import Origin

NASTY = 'con"v\n<2>|`*/ \x1b[31m\u202e'
"""A node name that tries to break every format."""


HOSTILE = (
    "</title></style></script>\"'><script>&#60;b&amp; {{ x }}\x00\x1b\u2028\u202e\u2066\ud800\ufffe"
    "<img src=x onerror=alert(1)>\U0001f600"
)
"""A name that tries to leave every place that it may stand in."""


class Tags(HTMLParser):
    """Opened tags by name, whether each closes in turn, and texts and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        self.texts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that others may stand in."""
        self.seen.append(tag)
        self.texts += [value or "" for _, value in attrs]
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("meta", "br", "wbr", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that closes itself."""
        self.seen.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        """It closes the one that was opened last."""
        assert tag == self.open.pop()


def sample_layer(index: int, name: str, live: int, weights: int) -> LayerRow:
    """One row with plausible figures."""
    return LayerRow(
        index=index,
        name=name,
        origin=name,
        op="Conv 3x3",
        kernel="mplan_conv2d_s8",
        inputs=("x",),
        output_shape=(1, 64, 32, 20),
        macs=23_592_960,
        ops=0,
        parameters=36_928,
        weights_bytes=weights,
        input_bytes=live // 2,
        output_bytes=live // 2,
        activation_bytes=live,
        live_bytes=live,
        scratch_bytes=0,
        cycles=70_000_000,
        cycles_origin=Origin.MODELLED,
        macs_per_byte=198.25,
        bound="compute",
        receptive_field=(7, 7),
        error=None,
    )


def sample_budget() -> Budget:
    """Over its RAM budget, grown against a baseline, verified on an emulated core."""
    layers = tuple(
        replace(sample_layer(i, name, live, weights), instructions=60_000_000 - i)
        for i, (name, live, weights) in enumerate(
            [("conv1", 61_440, 18_688), (NASTY, 81_920, 37_120), ("dwconv3", 51_200, 832)]
        )
    )
    findings = (
        Finding(
            "ram/over-budget",
            Severity.ERROR,
            "RAM over by 4,480 B: 86,400 B of 81,920 B",
            f"step 1, {NASTY}",
            "--objective ram, or a smaller input or output of the peak step",
        ),
        Finding("target/generic-sizes", Severity.NOTE, "memory sizes are representative", "", ""),
    )
    return Budget(
        schema=SCHEMA,
        tool_version="0.0.0",
        command="check",
        model=ModelInfo(
            name="kws.onnx",
            sha256="9f3c2a10" * 8,
            opset=13,
            dtype="int8 (QDQ)",
            parameters=112_064,
            macs=35_400_000,
            ops=12_345,
            nodes=34,
            steps=3,
            inputs=(ModelPort("x", (1, 49, 10, 1), "int8", 490, 0.5, -3),),
            outputs=(ModelPort("y", (1, 12), "int8", 12, 0.00390625, -128),),
        ),
        target=TargetInfo("cortex-m4", "cortex-m4", ("dsp", "fpu"), 100_000_000, True),
        regions=(
            RegionUse("sram", "ram", 131_072, 49_152, 86_400, -4_480),
            RegionUse("flash", "flash", 524_288, 65_536, 231_076, 227_676),
        ),
        verdict=Verdict(Status.OVER, findings),
        ram=Ram(84_224, 2_304, 0, 640, 1_536, 0, Origin.MEASURED, 86_400, 81_920, "target"),
        flash=Flash(208_112, 12_964, 10_000, 2_000, Origin.MODELLED, 231_076, 400_000, "limit"),
        peak=Peak(1, NASTY, 81_920, 81_920, 81_920, True, False, "not proved"),
        totals=Totals(
            932_264,
            440_928,
            112_064,
            35_400_000,
            70_800_000,
            12_345,
            448_256,
            112_064,
            (31, 17),
        ),
        latency=Latency(210_000_000, 2.1, 1 / 2.1, Origin.MODELLED, None, error=0.0131),
        energy=Energy(2.5e-05, 1.5e-05, 1e-05, True, Origin.MODELLED),
        build=BuildInfo("arm-none-eabi-gcc 12.2", "-Os -mcpu=cortex-m4"),
        layers=layers,
        buffers=(
            BufferRow("x", "sram", 0, 490, 0, 1, None, "io"),
            BufferRow("conv1", "sram", 1_200, 61_440, 0, 2, None),
            BufferRow(NASTY, "sram", 62_640, 20_480, 1, 3, None, "io"),
            BufferRow(f"{NASTY}/part", "sram", 62_640, 9_280, 1, 3, NASTY),
            BufferRow("scratch1", "sram", 83_120, 1_104, 1, 2, None, "scratch"),
        ),
        streams=(),
        baseline=Baseline(
            "main.report.json",
            5_120,
            4_872,
            (Growth(NASTY, 5_120, 4_872, "output channels 56 -> 64"),),
            (
                Growth("arena", 5_120, 0, ""),
                Growth("weights", 0, 4_608, ""),
                Growth("code", 0, 264, "new: conv2d_s8"),
            ),
        ),
        verification=(
            Verification(
                on="emulator",
                core="cortex-m4",
                samples=3,
                equal_to_reference=True,
                max_lsb=1,
                exact_share=0.9987,
                top1_agreement=0.9975,
                layer_max_lsb=1,
                first_diverging_layer=None,
                accuracy=Accuracy("top-1", 0.9135, 0.912),
                elf=ElfFigures(0, 221_076, 9_988, True),
                stack=StackFigures(1_536, 1_412),
                instructions=150_000_000,
                cycles=201_000_000,
                outputs=(
                    OutputError("boxes", 41.25, 0.0625, 0.5, None, ()),
                    OutputError(
                        NASTY, 24.0, 0.125, 0.25, 1, (ChannelError(0, None), ChannelError(1, 8.125))
                    ),
                ),
            ),
        ),
        levels=(
            LevelRow("naive", 122_880, "the model's order, a buffer for every tensor"),
            LevelRow("in place", 86_016, f"in place: 1; still copied: {NASTY}"),
            LevelRow("placement", 84_224, "not proved"),
        ),
        selection=Selection("ram", "1 of 3 steps with a slower kernel, 656 B of arena less"),
    )


def sample_fits() -> Budget:
    """The quiet case: fits, nothing compared, nothing verified."""
    budget = sample_budget()
    return replace(
        budget,
        regions=(
            RegionUse("sram", "ram", 131_072, 0, 86_400, 44_672),
            RegionUse("flash", "flash", 524_288, 0, 231_076, 293_212),
        ),
        verdict=Verdict(Status.FITS, ()),
        ram=replace(budget.ram, budget_bytes=131_072),
        flash=replace(budget.flash, budget_bytes=524_288, budget_from="target"),
        build=None,
        baseline=None,
        verification=(),
        levels=(),
        selection=None,
    )


def sample_undecided() -> Undecided:
    """A model with two problems."""
    findings = (
        Finding("model/unsupported-op", Severity.ERROR, "NonZero", NASTY, "export without it"),
        Finding("model/dynamic-shape", Severity.ERROR, "batch is open", "x", "--dim batch=1"),
    )
    verdict = Verdict(Status.UNSUPPORTED, findings)
    return Undecided(SCHEMA, "0.0.0", "check", ModelName("kws.onnx"), verdict)


def sample_board() -> Budget:
    """Counted on a board that waits for its flash, and for a RAM."""
    budget, stalls = (
        sample_budget(),
        StallCycles(900_000, 2_300_000, -90_000, Origin.MODELLED, 40_000),
    )
    layers = tuple(
        replace(row, wait_cycles=40_000, stall_cycles=stalls, cycles_origin=Origin.MEASURED)
        for row in budget.layers
    )
    latency = Latency(
        sum(row.all_cycles for row in layers),
        2.2,
        1 / 2.2,
        Origin.MODELLED,
        None,
        wait_cycles=120_000,
        error=0.0312,
        core_cycles=sum(row.cycles for row in layers),
        core_origin=Origin.MEASURED,
        stall_cycles=StallCycles(2_700_000, 6_900_000, -270_000, Origin.MODELLED, 120_000),
    )
    run = replace(budget.verification[0], stall_cycles=replace(stalls, origin=Origin.MEASURED))
    return replace(budget, layers=layers, latency=latency, verification=(run,))


def hostile_budget(name: str = HOSTILE) -> Budget:
    """Everything that a model or target names is named like that."""
    budget = sample_budget()
    layers = tuple(replace(row, name=name, op=name, inputs=(name,)) for row in budget.layers)
    regions = tuple(replace(region, name=name) for region in budget.regions)
    buffers = tuple(replace(row, name=name, region=name) for row in budget.buffers)
    return replace(
        budget,
        model=replace(budget.model, name=name),
        target=replace(budget.target, name=name),
        asked=("check", name, "--target", name),
        peak=replace(budget.peak, layer=name),
        layers=layers,
        regions=regions,
        buffers=buffers,
        naive=Naive(100_000, buffers),
        build=BuildInfo(name, name, (LinkedSymbol(name, 9, "text", name, 64),)),
    )
