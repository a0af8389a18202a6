# SPDX-License-Identifier: Apache-2.0
"""From a plan and its generated code to what is packed."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.emit import Bundle
from mcuplan.emit.joint import Joint
from mcuplan.packages._product import Model, Product
from mcuplan.packages._sample import sample_of
from mcuplan.record import Planned
from mcuplan.schedule.code import model_code

__all__ = ["joint_product", "product_of"]


def product_of(planned: Planned, bundle: Bundle, *, example: bool = False) -> Product:
    """One model as a product; with ``example`` it has a sample.

    Raises:
        DataError: the samples of the calibration do not fit the model.
    """
    places = tuple((member, "") for member, _ in bundle.regions)
    return Product(
        bundle.name,
        bundle.files,
        (_model(planned, bundle, places, example=example),),
        planned.plan.program.target,
        tuple((f"{bundle.name}_{member}_t", member) for member, _ in bundle.regions),
    )


def joint_product(joint: Joint, planned: Sequence[Planned], *, example: bool = False) -> Product:
    """Several models as a product, their plans in the order of their code.

    Raises:
        DataError: the samples of a calibration do not fit the model.
    """
    each = zip(planned, joint.bundles, strict=True)
    return Product(
        joint.name,
        joint.files,
        tuple(_model(p, bundle, joint.places(bundle), example=example) for p, bundle in each),
        planned[0].plan.program.target,
        tuple((f"{joint.name}_{member}_t", member) for member, _ in joint.regions),
    )


def _model(
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
