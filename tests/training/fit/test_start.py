from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from nextvec.training.checkpoint import load_checkpoint
from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.errors import TrainingError
from nextvec.training.fit import start as start_module
from nextvec.training.fit.start import SHIPPED, Start, learned_state
from nextvec.training.listener import NullListener
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.model import NextVectorModel
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.recipe import resolve
from nextvec.training.run import train

Prepare = Callable[..., tuple[Preparation, NextVectorModel]]


@pytest.fixture(scope="module")
def prepared(tiny_corpus: Corpus, tiny_config: TrainingConfig) -> Preparation:
    return prepare(tiny_corpus, tiny_config, SharedCache(), NullListener())


@pytest.fixture
def prepare_for(prepared: Preparation) -> Prepare:
    def run(**told: object) -> tuple[Preparation, NextVectorModel]:
        config = replace(prepared.config, **told)  # type: ignore[arg-type]
        there = replace(prepared, config=config)
        torch.manual_seed(1)
        model = NextVectorModel(ModelConfig.of(config, dim=prepared.corpus.dim))
        return there, model

    return run


@pytest.fixture
def shipped(
    prepare_for: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Tensor]:
    """Weights of a memory GRU of the size that these tests have."""
    _, model = prepare_for(architecture="memory")
    state = {name: torch.ones_like(w) for name, w in learned_state(model).items()}
    folder = tmp_path / "starts"
    folder.mkdir()
    told = {"corpus": "many", "fingerprint": "0" * 64}
    save_file(state, folder / "memory.safetensors", metadata=told)
    monkeypatch.setattr(start_module, "SHIPPED", folder)
    return state


@pytest.fixture(scope="module")
def other_corpus(tiny_corpus: Corpus) -> Corpus:
    """The same documents in other axes, so that no vector is the same."""
    turned = tiny_corpus.vectors[:, ::-1].copy()
    return replace(tiny_corpus, vectors=turned)


@pytest.fixture(scope="module")
def learned_run(
    other_corpus: Corpus,
    tiny_config: TrainingConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A finished run on them that learned something."""
    folder = tmp_path_factory.mktemp("runs") / "learned"
    card = train(other_corpus, tiny_config, folder)
    assert card["best_epoch"] > 0
    return folder


def test_every_gru_of_the_default_recipe_has_a_start_that_fits() -> None:
    for name in ("baseline", "memory", "hierarchical"):
        config = resolve("default", {"architecture": name}, kind="documents")
        model = NextVectorModel(ModelConfig.of(config, dim=16))
        path = SHIPPED / f"{name}.safetensors"
        state = load_file(path)
        assert start_module.misfit(state, model) is None
        # what it adds is small, and not nothing
        assert state["head.out.weight"].abs().max() > 0.01
        assert all(torch.isfinite(w).all() for w in state.values())


def test_shipped_weights_are_taken_where_they_fit(
    prepare_for: Prepare, shipped: dict[str, Tensor]
) -> None:
    there, model = prepare_for()
    figures = model.figure_mean.clone()
    found = Start.find(there, model)

    assert found is not None
    assert found.to_dict() | {"sha256": ""} == {
        "name": "shipped",
        "source": "many",
        "sha256": "",
    }
    found.load_into(model)
    for name, tensor in learned_state(model).items():
        assert torch.equal(tensor, shipped[name])
    assert torch.equal(model.figure_mean, figures)


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize(
    "told",
    [
        {"start": "none"},
        {"reads": "vectors"},
        {"architecture": "baseline"},
        {"hidden_size": 9},
        {"num_layers": 2},
    ],
)
def test_elsewhere_a_network_starts_from_nothing(
    prepare_for: Prepare, told: dict[str, object]
) -> None:
    assert Start.find(*prepare_for(**told)) is None


def test_the_corpus_that_the_weights_were_made_from_starts_from_nothing(
    prepare_for: Prepare, shipped: dict[str, Tensor]
) -> None:
    there, model = prepare_for()
    told = {"corpus": "many", "fingerprint": there.corpus.fingerprint}
    path = start_module.SHIPPED / "memory.safetensors"
    save_file(shipped, path, metadata=told)

    assert Start.find(there, model) is None


def test_a_run_starts_from_another(
    learned_run: Path,
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
    tmp_path: Path,
) -> None:
    config = replace(tiny_config, max_epochs=2, start=str(learned_run))

    card = train(tiny_corpus, config, tmp_path / "run")

    assert card["start"]["name"] == str(learned_run)
    assert card["start"]["source"] == "tiny"
    history = card["history"]
    assert [epoch["step_loss"] is None for epoch in history] == [True, True, False]
    assert history[1]["score"] != history[0]["score"]
    report = (tmp_path / "run" / "report.md").read_text()
    assert "then from weights that were trained on tiny" in report


def test_epoch_one_is_the_start_as_it_comes(
    learned_run: Path,
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
    tmp_path: Path,
) -> None:
    config = replace(tiny_config, max_epochs=1, start=str(learned_run))

    card = train(tiny_corpus, config, tmp_path)

    own = learned_state(load_checkpoint(learned_run).model)
    found = learned_state(load_checkpoint(tmp_path).model)
    assert card["best_epoch"] == 1
    for name, tensor in own.items():
        assert torch.equal(found[name], tensor)


def test_a_run_that_does_not_fit_is_refused(
    prepare_for: Prepare, learned_run: Path, finished_run: Path, tmp_path: Path
) -> None:
    asked = {"start": str(learned_run)}
    with pytest.raises(TrainingError, match="expected a network that reads similar"):
        Start.find(*prepare_for(**asked, reads="vectors"))
    with pytest.raises(TrainingError, match="expected the same architecture and sizes"):
        Start.find(*prepare_for(**asked, hidden_size=5))
    with pytest.raises(Exception, match="no checkpoint here"):
        Start.find(*prepare_for(start=str(tmp_path / "nowhere")))
    # trained on documents that are split as they are here, and on others
    there, _ = prepare_for(start=str(finished_run))
    assert Start.find(*prepare_for(start=str(finished_run))) is not None
    moved = replace(there, split=replace(there.split, validation=there.split.train[:2]))
    with pytest.raises(TrainingError, match=r"it was trained on \d+% of the vectors"):
        Start.find(moved, prepare_for(start=str(finished_run))[1])


def test_a_run_that_learned_nothing_or_tells_nothing_is_refused(
    prepare_for: Prepare, finished_run: Path, tmp_path: Path
) -> None:
    for path in finished_run.iterdir():
        if path.is_file() and path.name != "trained.npy":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    asked = {"start": str(tmp_path)}
    with pytest.raises(TrainingError, match="which tells what it was trained on"):
        Start.find(*prepare_for(**asked))
    card = (tmp_path / "card.json").read_text()
    card = card.replace('"is_better_than_base": true', '"is_better_than_base": false')
    (tmp_path / "card.json").write_text(card)
    with pytest.raises(TrainingError, match="its best epoch is 0"):
        Start.find(*prepare_for(**asked))
