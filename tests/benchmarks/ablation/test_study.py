from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ablation.data import StudyData
from benchmarks.ablation.results import digest_of
from benchmarks.ablation.study import RESULTS, Study, result_path, run_study
from benchmarks.ablation.trainer import VariantTrainer
from benchmarks.ablation.variants import VARIANTS, Variant
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.errors import CorpusError
from nextvec.training.files import read_json, write_json
from nextvec.training.listener import NullListener
from tests.benchmarks.ablation.conftest import TINY
from tests.conftest import MakeCorpus

pytestmark = pytest.mark.slow

ONE = (next(v for v in VARIANTS if v.name == "change-loss"),)


class Ear(NullListener):
    """Remembers how many epochs were trained."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.epochs = 0

    def stage(self, what: str) -> None:
        self.stages.append(what)
        self.epochs = 0

    def progress(self, done: int, total: int) -> None:
        del total
        self.epochs = done


def test_every_variant_leaves_its_figures(
    tiny_study: Study, tiny_study_folder: Path
) -> None:
    for variant in VARIANTS:
        result = tiny_study.results[variant.name]
        path = result_path(tiny_study_folder, variant, result.digest)
        assert path.exists()
        assert [epoch.number for epoch in result.epochs] == [0, 1, 2]
        assert result.epochs[0].train_loss is None
        assert np.isfinite(result.epochs[-1].train_loss or np.nan)
        assert (result.memory is None) == (variant.memory == "none")
        assert (result.leak is None) == (variant.dealt == "documents")
        for epoch in result.epochs:
            share = result.hits_at("targets", epoch.number).mean()
            assert share == pytest.approx(epoch.hit5["targets"])
        assert len(result.hits["index"]) == 1


def test_the_leak_is_counted_where_windows_are_dealt(tiny_study: Study) -> None:
    leak = tiny_study.results["windows-dealt"].leak

    assert leak is not None
    assert leak.input_share > 0.5
    assert leak.num_train == tiny_study.results["change-loss"].num_train_windows
    assert leak.own_size == leak.num_validation


def test_what_needs_no_training_is_measured(tiny_study: Study) -> None:
    copied = tiny_study.references["copy-last"]
    skilless = tiny_study.references["minus the last vector"]

    assert copied.change_cosine == 0
    last, target = tiny_study.data.context_QTD[:, -1], tiny_study.data.target_QD
    cosine_Q = (last * target).sum(-1)
    assert copied.cosine == pytest.approx(float(cosine_Q.mean()), abs=1e-6)
    expected = ((1 - cosine_Q) / 2).clamp(min=0).sqrt().mean()
    assert skilless.change_cosine == pytest.approx(float(expected), abs=1e-5)
    assert not any(hits.any() for hits in skilless.hits.values())


def test_the_same_seed_gives_the_same_figures(
    tiny_study: Study, small_corpus: Corpus, tmp_path: Path
) -> None:
    again = run_study(small_corpus, TINY, tmp_path, NullListener(), variants=ONE)

    first = tiny_study.results["change-loss"]
    assert replace(again.results["change-loss"], seconds=first.seconds) == first


def test_a_finished_run_is_found_again_and_a_damaged_one_made_anew(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    first = run_study(small_corpus, TINY, tmp_path, NullListener(), variants=ONE)
    digest = first.results["change-loss"].digest
    path = result_path(tmp_path, ONE[0], digest)

    def again(config: object = TINY) -> int:
        ear = Ear()
        assert config is TINY or config is OTHER
        chosen = TINY if config is TINY else OTHER
        found = run_study(small_corpus, chosen, tmp_path, ear, variants=ONE)
        if chosen is TINY:
            kept = first.results["change-loss"]
            now = found.results["change-loss"]
            assert replace(now, seconds=kept.seconds) == kept
        return ear.epochs

    assert again() == 0
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert again() == 2
    plain = read_json(path)
    del plain["epochs"][0]["cosine"]
    write_json(path, plain)
    assert again() == 2
    write_json(path, [1, 2])
    assert again() == 2
    # other options take nothing away
    assert again(OTHER) == 1
    assert again(OTHER) == 0
    assert again() == 0
    assert len(list((tmp_path / RESULTS).iterdir())) == 2


OTHER = replace(TINY, epochs=1)


def test_a_digest_names_corpus_variant_and_options(
    small_corpus: Corpus, make_corpus: MakeCorpus
) -> None:
    plain = Variant(name="plain", about="")

    digests = {
        digest_of(small_corpus, plain, TINY),
        digest_of(small_corpus, replace(plain, lr=0.1), TINY),
        digest_of(small_corpus, plain, OTHER),
        digest_of(make_corpus([101, 101, 101]), plain, TINY),
    }

    assert len(digests) == 4


def test_items_are_refused(make_items: Callable[..., Corpus], tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"takes a corpus of documents, got items"):
        run_study(make_items([150] * 12), TINY, tmp_path, NullListener())


def test_a_corpus_too_small_for_the_pool_is_refused(
    make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    with pytest.raises(CorpusError, match="pool 'targets' needs more passages"):
        run_study(make_corpus([110] * 6), TINY, tmp_path, NullListener())


def test_the_written_memory_of_a_trained_network_has_collapsed(
    tiny_data: StudyData,
) -> None:
    variant = next(v for v in VARIANTS if v.name == "batch-mean-memory")
    broken = VariantTrainer(tiny_data, variant)
    assert broken.network.memory is not None
    for _ in range(100):
        broken.network.train()
        broken.network(tiny_data.context_QTD[:2])

    result = broken.run("digest", lambda _done, _total: None)

    assert result.memory is not None
    assert result.memory.slot_cosine > 0.99
    assert result.memory.attention_entropy > 0.99
