# SPDX-License-Identifier: Apache-2.0
"""From a plan and its generated code to what is packed."""

from __future__ import annotations

from mcuplan.emit import Bundle
from mcuplan.packages._product import Model, Product
from mcuplan.packages._sample import sample_of
from mcuplan.record import Planned
from mcuplan.schedule.code import model_code

__all__ = ["model_of", "product_of"]


def product_of(planned: Planned, bundle: Bundle, *, example: bool = False) -> Product:
    """One model as a product; with ``example`` it has a sample.

    Raises:
        DataError: the samples of the calibration do not fit the model.
    """
    places = tuple((member, "") for member, _ in bundle.regions)
    return Product(
        bundle.name,
        bundle.files,
        (model_of(planned, bundle, places, example=example),),
        planned.plan.program.target,
        tuple((f"{bundle.name}_{member}_t", member) for member, _ in bundle.regions),
    )


def model_of(
    planned: Planned, bundle: Bundle, places: tuple[tuple[str, str], ...], *, example: bool
) -> Model:
    """A model of a product, with the places of its arenas.

    Raises:
        DataError: the samples of the calibration do not fit the model.
    """
    code = model_code(planned.plan.program, planned.plan.program.target)
    return Model(
        bundle,
        planned.model.path.name,
        planned.model.sha256,
        places,
        code.stack_bytes + code.stack_margin_bytes,
        sample_of(planned, bundle) if example else None,
    )
