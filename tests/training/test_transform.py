from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.listener import NullListener
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.transform import Transform
from nextvec.training.transform_config import TransformConfig, TransformKind
from nextvec.training.vectors import Float32, l2_normalize


def correlated(num: int = 400, dim: int = 6, seed: int = 0) -> Float32:
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(dim, dim)) * np.linspace(0.3, 2, dim)
    return l2_normalize(rng.normal(size=(num, dim)) @ mixing + rng.normal(size=dim))


@settings(max_examples=40)
@given(
    kind=st.sampled_from(["center", "whiten"]),
    strength=st.sampled_from([0.25, 0.5, 1.0]),
    seed=st.integers(0, 99),
)
def test_the_way_back_leads_home_where_the_lost_length_is_known(
    kind: TransformKind, strength: float, seed: int
) -> None:
    vectors = correlated(seed=seed)
    config = TransformConfig(kind=kind, strength=strength, shrinkage=0.01)
    transform = Transform.fit(vectors, config)
    lengths = np.linalg.norm((vectors - transform.mean) @ transform.matrix, axis=1)

    moved = transform.apply(vectors[:5])

    for row, unit, length in zip(vectors, moved, lengths.tolist(), strict=False):
        back = replace(transform, scale=length).invert(unit[None])[0]
        np.testing.assert_allclose(back, row, atol=1e-4)


@pytest.mark.parametrize("kind", ["center", "whiten"])
def test_the_way_back_with_the_mean_length_stays_close(kind: TransformKind) -> None:
    vectors = correlated(2000, 32)
    transform = Transform.fit(vectors, TransformConfig(kind=kind))

    back = transform.invert(transform.apply(vectors))

    cosine = (back * vectors).sum(axis=1)
    # only the length is lost: the direction is off by as much as that varies
    assert cosine.mean() > 0.98
    np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1, atol=1e-6)


def test_identity_changes_no_bit_in_either_direction() -> None:
    vectors = correlated()
    transform = Transform.fit(vectors, TransformConfig(kind="identity"))

    there, back = transform.apply(vectors), transform.invert(vectors)

    assert transform.is_identity
    assert np.array_equal(there, vectors)
    assert np.array_equal(back, vectors)
    assert there is not vectors
    assert not np.shares_memory(there, vectors)


def test_full_whitening_makes_the_covariance_the_identity() -> None:
    vectors = correlated()
    config = TransformConfig(kind="whiten", strength=1, shrinkage=0)

    transform = Transform.fit(vectors, config)

    moved = (vectors - transform.mean) @ transform.matrix
    np.testing.assert_allclose(moved.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(moved.T, bias=True), np.eye(6), atol=1e-3)


def test_half_whitening_leaves_the_square_roots_of_the_variances() -> None:
    vectors = correlated()
    config = TransformConfig(kind="whiten", strength=0.5, shrinkage=0)
    before = np.linalg.eigvalsh(np.cov(vectors.T, bias=True))

    transform = Transform.fit(vectors, config)

    moved = (vectors - transform.mean) @ transform.matrix
    after = np.linalg.eigvalsh(np.cov(moved.T, bias=True))
    np.testing.assert_allclose(after, np.sqrt(before), rtol=1e-2)


def test_centering_takes_the_mean_off_and_turns_nothing() -> None:
    vectors = correlated()

    transform = Transform.fit(vectors, TransformConfig(kind="center"))

    expected = l2_normalize(vectors - vectors.mean(axis=0))
    np.testing.assert_allclose(transform.apply(vectors), expected, atol=1e-5)
    lengths = np.linalg.norm(vectors - vectors.mean(axis=0), axis=1)
    assert transform.scale == pytest.approx(lengths.mean(), rel=1e-5)
    assert not transform.is_identity


def test_shrinkage_keeps_a_direction_without_variance_small() -> None:
    vectors = correlated()
    vectors[:, 0] = 0
    config = TransformConfig(kind="whiten", strength=1, shrinkage=0.1)

    transform = Transform.fit(vectors, config)

    assert np.isfinite(transform.apply(vectors)).all()
    assert np.abs(transform.matrix).max() < 100


def test_a_row_that_is_the_mean_has_no_direction() -> None:
    transform = replace(
        Transform.fit(correlated(), TransformConfig(kind="center")),
        mean=np.array([1, 0, 0, 0, 0, 0], dtype=np.float32),
    )

    moved = transform.apply(np.eye(6, dtype=np.float32)[:1])

    assert not moved.any()


def test_it_is_fitted_on_training_rows_only(
    tiny_corpus: Corpus, tiny_config: TrainingConfig
) -> None:
    rng = np.random.default_rng(0)
    before = prepare(tiny_corpus, tiny_config, SharedCache(), NullListener())
    vectors = tiny_corpus.vectors.copy()
    for part in ("validation", "test"):
        for document in before.split.part(part).tolist():
            rows = tiny_corpus.sequence(document)
            vectors[rows] = l2_normalize(rng.normal(size=(len(rows), vectors.shape[1])))

    changed = replace(tiny_corpus, vectors=vectors)
    after = prepare(changed, tiny_config, SharedCache(), NullListener())

    for name in ("mean", "matrix", "inverse"):
        assert np.array_equal(
            getattr(before.transform, name), getattr(after.transform, name)
        )
    assert before.transform.scale == after.transform.scale
    train = before.train_rows
    fitted = Transform.fit(vectors[train], tiny_config.transform_config)
    assert np.array_equal(fitted.matrix, before.transform.matrix)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"kind": "pca"},
            "Input should be 'identity', 'center' or 'whiten'",
            id="kind",
        ),
        pytest.param({"strength": 0.0}, "greater than 0", id="zero"),
        pytest.param({"strength": 1.1}, "less than or equal to 1", id="above one"),
        pytest.param({"shrinkage": -0.1}, "greater than or equal to 0", id="shrink"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TransformConfig(**change)  # type: ignore[arg-type]
