# SPDX-License-Identifier: Apache-2.0
"""Weights of few steps: whole numbers that fit the sums, and not the samples alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from repair.trap_models import ROOT

from mcuplan import pipeline
from mcuplan.ir.types import Array, DType
from mcuplan.passes.constants import fitting_scales
from mcuplan.record import Request
from mcuplan.repair import refit, rounding
from mcuplan.repair.rounding import rounded, rounded_in_blocks, shrunk
from mcuplan.repair.widen import is_of_int8
from mcuplan.targets import load_target

TERMS = 24


def _terms(sums: int, seed: int, *, mixed: bool) -> Array:
    """Of layers whose inputs vary together, or each on its own."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((sums, TERMS))
    ways = np.random.default_rng(7).standard_normal((TERMS, TERMS))
    return own @ ways if mixed else own


def _covariance(terms: Array) -> Array:
    return np.cov(terms, rowvar=False, bias=True)


def _weights(seed: int) -> tuple[Array, Array]:
    weights = np.random.default_rng(seed).standard_normal((32, TERMS))
    return weights, fitting_scales(weights, np.abs(weights).max(axis=1) / 7, DType.INT4)


def _off(weights: Array, made: Array, scales: Array, terms: Array) -> float:
    return float(np.square(terms @ (made * scales[:, None] - weights).T).mean())


@pytest.mark.parametrize("mixed", [True, False])
def test_a_covariance_is_believed_as_far_as_sums_show_it(mixed: bool) -> None:
    """Of many sums nearly all of it; of few that are alike by chance nearly none."""
    many, few = (_terms(n, 1, mixed=mixed) for n in (20_000, 8))
    true = _covariance(_terms(200_000, 2, mixed=mixed))
    for terms, nearer in ((few, 0.8), (many, 1.01)):
        seen = _covariance(terms)
        off = [float(np.square(each - true).sum()) for each in (shrunk(seen, terms), seen)]
        assert off[0] < nearer * off[1]
        assert np.isclose(np.trace(seen), np.trace(shrunk(seen, terms)))


def test_a_covariance_of_equal_terms_stays() -> None:
    """There is nothing to shrink; of no variance neither."""
    terms = np.vstack([np.eye(4), -np.eye(4)])
    for each in (terms, np.zeros((8, 4))):
        assert np.allclose(_covariance(each), shrunk(_covariance(each), each))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("blocks", [False, True])
def test_weights_settle_beside_one_another(
    seed: int, blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sums err less than where each weight was rounded once; steps stay those of 4 bits."""
    weights, scales = _weights(seed)
    terms = _terms(5000, 3, mixed=True)
    hessian = _covariance(terms)
    factors = np.where(np.arange(TERMS) < TERMS // 2, 3.0, 2.0) * np.ones(weights.shape)

    def made() -> tuple[Array, Array]:
        if blocks:
            return rounded_in_blocks(weights, scales / 3, hessian, factors)
        return rounded(weights, scales, hessian, DType.INT4)

    settled = made()
    monkeypatch.setattr(rounding, "_SWEEPS", 0)
    once = made()
    assert _off(weights, *settled, terms) < 0.97 * _off(weights, *once, terms)
    narrow = settled[0] / factors if blocks else settled[0]
    assert (narrow == np.rint(narrow)).all()
    assert DType.INT4.high >= np.abs(narrow).max()


def test_few_sums_do_not_lead_weights_astray() -> None:
    """Where inputs have nothing to do with one another, other sums err as those of nearest ones."""
    weights, scales = _weights(0)
    few, others = _terms(TERMS, 1, mixed=False), _terms(4000, 2, mixed=False)
    nearest = np.clip(np.rint(weights / scales[:, None]), -7, 7)
    plain = _off(weights, nearest, scales, others)
    fitted = rounded(weights, scales, shrunk(_covariance(few), few), DType.INT4)
    led = rounded(weights, scales, _covariance(few), DType.INT4)
    assert _off(weights, *fitted, others) < 1.1 * plain
    assert _off(weights, *led, others) > 1.3 * plain


def test_what_is_made_up_for_is_what_other_sums_show_too() -> None:
    """Noise of few sums is not fitted; what inputs lose together is."""
    weights = _weights(0)[0]

    def left(sums: int, share: float) -> float:
        """Of the error of other sums, where inputs lose a share and have a little noise."""

        def pair(many: int, seed: int) -> tuple[Array, Array]:
            theirs = _terms(many, seed, mixed=False)
            noise = np.random.default_rng(seed + 50).standard_normal(theirs.shape)
            return theirs, (1 - share) * theirs + 0.1 * noise

        theirs, ours = pair(sums, 1)
        gained = refit._made_up(weights, theirs, ours, _covariance(ours))
        theirs, ours = pair(4000, 2)
        before, after = (theirs @ weights.T - ours @ w.T for w in (weights, weights + gained))
        return float(np.square(after).mean() / np.square(before).mean())

    assert left(TERMS, 0.0) < 1.1
    assert left(2000, 0.5) < 0.2


def test_weights_of_4_bits_take_no_activations_of_16() -> None:
    """Their error is their own: repair leaves the types that were asked for."""
    request = Request(ROOT / "models" / "digits_dscnn" / "model.onnx", load_target("cortex-m4"))
    graphs = [
        pipeline.simplify(replace(request, weight_dtypes=asked))[1]
        for asked in ({}, {"": DType.INT4})
    ]
    assert [True, False] == [is_of_int8(graph) for graph in graphs]
