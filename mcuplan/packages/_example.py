# SPDX-License-Identifier: Apache-2.0
"""The example: a header that runs each model once, and programs around it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import PurePosixPath

from mcuplan.emit import BundlePort
from mcuplan.emit.c_writer import array
from mcuplan.ir.types import Array
from mcuplan.packages._product import Model, Product
from mcuplan.packages._text import fill, part
from mcuplan.prove.cores import CORES, Core

__all__ = ["emulated", "emulator_files", "example_header", "host_files", "semihosted"]


def example_header(product: Product) -> str:
    """``NAME_example.h``: samples, expected values, and a function that runs and compares."""
    outputs = [port for model in product.models for port in model.bundle.outputs]
    real = any(port.dtype.is_float for port in outputs)
    return fill(
        "example.h.in",
        product,
        objects="\n".join(
            f"static {kind} {_object(product, member)};" for kind, member in product.arenas
        ),
        reals=part("example_real.h.in", product) if real else "",
        models="".join(_model(product, model) for model in product.models),
        each="the model once" if len(product.models) == 1 else "all models in turn, twice",
        calls="\n".join(
            f"    wrong += {model.bundle.name}_example_run(print);" for model in _in_turn(product)
        ),
    )


def _in_turn(product: Product) -> tuple[Model, ...]:
    """Each model once; of several twice, so that each runs in memory that another has used."""
    return product.models * (1 if len(product.models) == 1 else 2)


def _object(product: Product, member: str) -> str:
    return f"{product.name}_example_{member}"


def _model(product: Product, model: Model) -> str:
    """Sample, expected values and the run of one model."""
    assert model.sample is not None, "a package has an example"
    bundle, name = model.bundle, model.bundle.name
    addresses = [f"&{_object(product, member)}{path}" for member, path in model.places]
    addresses += ["0U", "0U"] if bundle.fed_rows else []
    samples = zip(bundle.inputs, model.sample.inputs, strict=True)
    expected = zip(bundle.outputs, model.sample.outputs, strict=True)
    return part(
        "example_model.h.in",
        product,
        model=name,
        origin=model.sample.origin,
        rows="fed row by row" if bundle.fed_rows else "as the code takes it",
        arrays="".join(_array(port, values) for port, values in (*samples, *expected)),
        const="" if bundle.fed_rows else "const ",
        context=f"{{ {', '.join(addresses)} }}",
        run=_run(product, model).rstrip("\n"),
        outputs="".join(_output(product, port) for port in bundle.outputs).rstrip("\n"),
    )


def _run(product: Product, model: Model) -> str:
    bundle, name = model.bundle, model.bundle.name
    if bundle.fed_rows:
        (port,) = bundle.inputs
        own = {"model": name, "INPUT": port.accessor.upper(), "values": _values(port)}
        return part("example_feed.h.in", product, **own)
    copies = (
        part(
            "example_input.h.in",
            product,
            INPUT=port.accessor.upper(),
            accessor=port.accessor,
            values=_values(port),
        )
        for port in bundle.inputs
    )
    reset = f"    (void){name}_reset(&ctx);\n" if bundle.states else ""
    own = {"model": name, "reset": reset, "inputs": "".join(copies).rstrip("\n")}
    return part("example_invoke.h.in", product, **own)


def _values(port: BundlePort) -> str:
    return f"{port.accessor}_example"


def _array(port: BundlePort, values: Array) -> str:
    assert values.size == math.prod(port.shape)
    return array(_values(port), port.dtype, values.reshape(-1))


def _output(product: Product, port: BundlePort) -> str:
    real = port.dtype.is_float
    return part(
        "example_output.h.in",
        product,
        accessor=port.accessor,
        OUTPUT=port.accessor.upper(),
        ctype=port.dtype.c_type,
        kind="real" if real else "whole",
        shown="float" if real else "int32_t",
        values=_values(port),
    )


def host_files(product: Product) -> Iterator[tuple[PurePosixPath, str]]:
    """A program of this computer, where its compiler takes the kernels."""
    if product.is_portable:
        yield PurePosixPath("examples/host/main.c"), fill("main.c.in", product)


def emulated(product: Product) -> Core:
    """The emulated core that the code is for; every core of a target has one."""
    return CORES[product.target.core]


def semihosted(template: str, product: Product) -> str:
    """A program that prints and ends by semihosting, and needs no library for it."""
    return fill(template, product, semihosting=part("semihosting.c.in", product))


def emulator_files(product: Product) -> Iterator[tuple[PurePosixPath, str]]:
    """A program for the emulated core."""
    core, folder = emulated(product), PurePosixPath("examples/emulator")
    yield folder / "emulator.c", semihosted("emulator.c.in", product)
    yield folder / "emulator.ld", fill("emulator.ld.in", product, **core.memory)
