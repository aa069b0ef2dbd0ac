from dataclasses import replace
from pathlib import Path

import pytest

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.errors import TrainingError
from nextvec.training.listener import NullListener
from nextvec.training.run import run_name
from nextvec.training.study.grid import run_grid
from nextvec.training.study.results import RESULTS, find_result


@pytest.mark.slow
def test_what_is_finished_is_not_run_again(
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configs = [
        replace(tiny_config, architecture="linear", max_epochs=1, seed=seed)
        for seed in (0, 1)
    ]
    said: list[str] = []

    def run() -> list[str]:
        results = run_grid(
            tiny_corpus,
            configs,
            tmp_path / "study",
            tmp_path / "runs",
            corpus_folder=tmp_path / "corpus",
            listener=NullListener(),
            say=said.append,
        )
        return [str(result["name"]) for result in results]

    names = run()
    found = find_result(tmp_path / "study", names[0])

    assert names == [run_name(tiny_corpus, config) for config in configs]
    assert found is not None
    assert found["wall_s"] > 0
    assert [result["seed"] for result in map_results(tmp_path / "study")] == [0, 1]

    # a fresh clone has the committed results and no run
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("trained again")

    monkeypatch.setattr("nextvec.training.study.grid.train", refuse)
    assert run() == names
    assert said[-1].endswith("its result is there already")


@pytest.mark.slow
def test_a_run_finished_before_has_no_known_time(
    tiny_corpus: Corpus, tiny_config: TrainingConfig, tmp_path: Path
) -> None:
    config = replace(tiny_config, architecture="linear", max_epochs=1)

    def run() -> object:
        (result,) = run_grid(
            tiny_corpus,
            [config],
            tmp_path / "study",
            tmp_path / "runs",
            corpus_folder=tmp_path / "corpus",
            listener=NullListener(),
        )
        return result["wall_s"]

    assert run() is not None
    for path in (tmp_path / "study" / RESULTS).iterdir():
        path.unlink()

    assert run() is None


@pytest.mark.slow
def test_another_recipe_is_refused_before_anything_is_trained(
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = replace(tiny_config, architecture="linear", max_epochs=1)

    def run(config: TrainingConfig) -> None:
        run_grid(
            tiny_corpus,
            [config],
            tmp_path / "study",
            tmp_path / "runs",
            corpus_folder=tmp_path / "corpus",
            listener=NullListener(),
        )

    run(config)
    monkeypatch.setattr(
        "nextvec.training.study.grid.train", lambda *_, **__: pytest.fail("trained")
    )

    with pytest.raises(TrainingError, match=r"lr is 0\..* and 0\.5; give another"):
        run(replace(config, seed=1, lr=0.5))
    with pytest.raises(TrainingError, match=r"stride is 5 and 10; give another"):
        run(replace(config, architecture="baseline", stride=10))


def map_results(folder: Path) -> list[dict[str, object]]:
    found = [find_result(folder, path.stem) for path in (folder / RESULTS).iterdir()]
    return sorted(
        (result for result in found if result is not None),
        key=lambda result: str(result["seed"]),
    )
