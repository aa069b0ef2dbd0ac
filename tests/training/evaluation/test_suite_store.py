from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.split import split_documents
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.errors import BundleError
from nextvec.training.evaluation.suite import Suite, build_suite
from nextvec.training.evaluation.suite_store import load_suite, save_suite

MakeCorpus = Callable[..., Corpus]


def make_suite(corpus: Corpus) -> Suite:
    split = split_documents(corpus, SplitConfig())
    groups = np.arange(len(corpus.vectors))
    return build_suite(corpus, split, groups, "validation", stride=9)


@pytest.mark.parametrize("num_documents", [4, 12], ids=["two pools", "three pools"])
def test_a_suite_comes_back_as_it_was(
    make_corpus: MakeCorpus, tmp_path: Path, num_documents: int
) -> None:
    suite = make_suite(make_corpus([130] * num_documents, dim=3))

    save_suite(tmp_path / "suite.npz", suite)
    loaded = load_suite(tmp_path / "suite.npz")

    assert (loaded.part, loaded.stride, loaded.num_leaked) == ("validation", 9, 0)
    for name in ("context_rows", "lengths", "target_rows", "documents", "positions"):
        expected = getattr(suite.windows, name)
        assert np.array_equal(getattr(loaded.windows, name), expected)
    assert [pool.name for pool in loaded.pools] == [pool.name for pool in suite.pools]
    for found, pool in zip(loaded.pools, suite.pools, strict=True):
        assert np.array_equal(found.rows, pool.rows)
        assert (found.members is None) == (pool.members is None)
        if pool.members is not None:
            assert found.members is not None
            assert np.array_equal(found.members, pool.members)


def test_a_missing_suite_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"suite\.npz: the validation windows are"):
        load_suite(tmp_path / "suite.npz")


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_suite_is_refused(
    make_corpus: MakeCorpus, tmp_path: Path, kept: float
) -> None:
    path = tmp_path / "suite.npz"
    save_suite(path, make_suite(make_corpus([110] * 4, dim=3)))
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])

    with pytest.raises(BundleError, match=r"suite\.npz: the validation windows are"):
        load_suite(path)


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7])
def test_a_suite_with_flipped_bits_is_refused(
    make_corpus: MakeCorpus, tmp_path: Path, place: float
) -> None:
    path = tmp_path / "suite.npz"
    save_suite(path, make_suite(make_corpus([130] * 12, dim=3)))
    data = bytearray(path.read_bytes())
    middle = int(place * len(data))
    for byte in range(middle, middle + 40):
        data[byte] ^= 0xFF
    path.write_bytes(bytes(data))

    with pytest.raises(BundleError):
        load_suite(path)


def test_a_suite_without_its_windows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "suite.npz"
    np.savez(path, part=np.array("validation"))

    with pytest.raises(BundleError, match="damaged"):
        load_suite(path)


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "suite.npz"
    np.savez(path, part=np.array({"a": 1}, dtype=object))

    with pytest.raises(BundleError, match="damaged"):
        load_suite(path)
