from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.split import PARTS, split_documents
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.errors import CorpusError

MakeCorpus = Callable[..., Corpus]

shares = st.tuples(st.floats(0.01, 0.98), st.floats(0.01, 0.98)).filter(
    lambda pair: sum(pair) < 0.99
)


@settings(max_examples=60)
@given(
    num_long=st.integers(3, 12),
    num_short=st.integers(0, 9),
    shares=shares,
    seed=st.integers(0, 50),
)
def test_every_document_is_in_one_part_and_every_part_has_a_long_one(
    make_corpus: MakeCorpus,
    num_long: int,
    num_short: int,
    shares: tuple[float, float],
    seed: int,
) -> None:
    corpus = make_corpus([101] * num_long + [2] * num_short, dim=2)
    config = SplitConfig(seed=seed, validation=shares[0], test=shares[1])

    split = split_documents(corpus, config)

    dealt = np.concatenate([split.part(name) for name in PARTS])
    assert sorted(dealt.tolist()) == list(range(num_long + num_short))
    for name in PARTS:
        assert (corpus.lengths[split.part(name)] > 100).any()
        assert (np.diff(split.part(name)) > 0).all()


@pytest.mark.parametrize("shares", [(0.6, 0.3), (0.3, 0.6), (0.49, 0.49)])
def test_large_shares_of_few_documents_leave_one_to_train_on(
    make_corpus: MakeCorpus, shares: tuple[float, float]
) -> None:
    config = SplitConfig(validation=shares[0], test=shares[1])

    split = split_documents(make_corpus([101] * 3, dim=2), config)

    assert [len(split.part(name)) for name in PARTS] == [1, 1, 1]


def test_long_and_short_documents_are_dealt_out_apart(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([110] * 20 + [5] * 40, dim=2)

    split = split_documents(corpus, SplitConfig())

    counts = {
        name: [int((split.part(name) < 20).sum()), int((split.part(name) >= 20).sum())]
        for name in PARTS
    }
    assert counts == {"train": [12, 24], "validation": [3, 6], "test": [5, 10]}


def test_a_document_of_exactly_100_vectors_is_short(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([101, 101, 100], dim=2)

    with pytest.raises(
        CorpusError, match="2 documents or sequences have more than 100 entries"
    ):
        split_documents(corpus, SplitConfig())


def test_one_seed_gives_one_split_and_another_another(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([101] * 20, dim=2)

    first, again, other = (
        split_documents(corpus, SplitConfig(seed=seed)).fingerprint(corpus)
        for seed in (1, 1, 2)
    )

    assert first == again
    assert first != other


def test_the_fingerprint_tells_parts_apart(make_corpus: MakeCorpus) -> None:
    corpus, other = make_corpus([101] * 4, dim=2), make_corpus([101] * 4, dim=3)
    split = split_documents(corpus, SplitConfig())
    swapped = type(split)(
        train=split.train, validation=split.test, test=split.validation
    )

    assert swapped.fingerprint(corpus) != split.fingerprint(corpus)
    assert split.fingerprint(other) != split.fingerprint(corpus)


def test_there_is_no_fourth_part(make_corpus: MakeCorpus) -> None:
    split = split_documents(make_corpus([101] * 4, dim=2), SplitConfig())

    with pytest.raises(ValueError, match="part must be one of"):
        split.part("all")


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"validation": 0.0}, r"validation\s+Input should be greater than 0"),
        ({"test": -0.1}, r"test\s+Input should be greater than 0"),
        ({"validation": 0.5, "test": 0.5}, "shares leave no training"),
        ({"validation": float("nan")}, "a finite number"),
        ({"seed": -1}, r"seed\s+Input should be greater than or equal to 0"),
    ],
)
def test_shares_that_leave_a_part_empty_are_refused(
    told: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        SplitConfig(**told)  # type: ignore[arg-type]


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=3, max_size=12),
    num_short=st.integers(0, 6),
    shares=shares,
    seed=st.integers(0, 50),
)
def test_a_family_is_in_one_part_and_every_part_has_a_long_document(
    make_corpus: MakeCorpus,
    sizes: list[int],
    num_short: int,
    shares: tuple[float, float],
    seed: int,
) -> None:
    # of each family one is long; short ones are alone
    lengths = [101 if place == 0 else 2 for size in sizes for place in range(size)]
    family = np.repeat(np.arange(len(sizes)) * 3, sizes)
    families = np.concatenate([family, 100 + np.arange(num_short)])
    corpus = make_corpus(lengths + [2] * num_short, dim=2)
    corpus = replace(corpus, families=families)
    config = SplitConfig(seed=seed, validation=shares[0], test=shares[1])

    split = split_documents(corpus, config)

    dealt = np.concatenate([split.part(name) for name in PARTS])
    assert sorted(dealt.tolist()) == list(range(len(families)))
    parts = [set(families[split.part(name)].tolist()) for name in PARTS]
    assert sum(map(len, parts)) == len(set(families.tolist()))
    for name in PARTS:
        assert (corpus.lengths[split.part(name)] > 100).any()
        assert (np.diff(split.part(name)) > 0).all()


def test_shares_are_of_documents_not_of_families(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([101] * 200, dim=2)
    families = np.minimum(np.arange(200), 150)  # one of 50

    split = split_documents(replace(corpus, families=families), SplitConfig())

    assert abs(len(split.validation) - 30) <= 25
    assert abs(len(split.test) - 50) <= 25
    assert sum(len(split.part(name)) for name in PARTS) == 200


def test_small_families_get_the_very_shares(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([101] * 200, dim=2)

    split = split_documents(
        replace(corpus, families=np.arange(200) // 2), SplitConfig()
    )

    assert [len(split.part(name)) for name in PARTS] == [120, 30, 50]


def test_fewer_than_three_long_families_are_refused(make_corpus: MakeCorpus) -> None:
    corpus = replace(
        make_corpus([101] * 5 + [2], dim=2), families=np.array([0, 0, 0, 1, 1, 2])
    )

    with pytest.raises(CorpusError, match="tiny: 2 families have a document"):
        split_documents(corpus, SplitConfig())


def test_without_families_splits_and_fingerprints_are_what_they_were() -> None:
    corpus = Corpus(
        vectors=np.eye(4, dtype=np.float32),
        ids=list("abcd"),
        rows=np.arange(30 * 24) % 4,
        offsets=np.arange(24 + 1) * 30,
        document_ids=[f"s{number}" for number in range(24)],
        card=CorpusCard(name="tiny", encoder="none", source="made by a test"),
        kind="items",
    )

    split = split_documents(corpus, SplitConfig(seed=3))

    # noted before there were families
    assert corpus.fingerprint.startswith("3ded16d801f6694e")
    assert split.fingerprint(corpus).startswith("2e1a5937136c535b")
