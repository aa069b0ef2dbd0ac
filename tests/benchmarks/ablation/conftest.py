"""One tiny study, shared by the tests of the ablation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ablation.data import StudyData
from benchmarks.ablation.report import write_study
from benchmarks.ablation.study import Study, run_study
from benchmarks.ablation.variants import StudyConfig
from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.listener import NullListener
from nextvec.training.preparation.kept_baselines import best_baselines
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from tests.conftest import MakeCorpus

TINY = StudyConfig(
    epochs=2, hidden_size=6, num_layers=1, num_slots=5, batch_size=8, stride=20
)


@pytest.fixture(scope="session")
def small_corpus(make_corpus: MakeCorpus) -> Corpus:
    """Documents enough for thirty validation windows."""
    return make_corpus([200] * 20, dim=12)


@pytest.fixture(scope="session")
def tiny_study_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studies") / "tiny"


@pytest.fixture(scope="session")
def tiny_study(small_corpus: Corpus, tiny_study_folder: Path) -> Study:
    """Every variant at toy size; read it, do not change it."""
    return run_study(small_corpus, TINY, tiny_study_folder, NullListener())


@pytest.fixture(scope="session")
def tiny_report(
    tiny_study: Study, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The report of the study as if it had more documents: texts by file name."""
    folder = tmp_path_factory.mktemp("report")
    paths = write_study(spread(tiny_study, 12), folder)
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


@pytest.fixture(scope="session")
def tiny_data(small_corpus: Corpus) -> StudyData:
    cache, listener = SharedCache(), NullListener()
    config = TrainingConfig(transform="identity", selection_pool="documents")
    prepared = prepare(small_corpus, config, cache, listener)
    return StudyData(prepared, best_baselines(prepared, cache, listener), TINY)


def spread(study: Study, documents: int) -> Study:
    """Pretend that the windows are of so many documents: then there are intervals."""
    data = object.__new__(type(study.data))
    data.__dict__.update(study.data.__dict__)
    data.documents = np.arange(len(data.windows)) % documents
    return replace(study, data=data)
