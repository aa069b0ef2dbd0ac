"""From text to an HTTP answer, through the console command."""

from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from nextvec.app.api.app import create_app
from nextvec.app.commands.main import cli
from nextvec.app.settings import Settings
from nextvec.training.corpus.store import load_corpus

TOPICS = {
    "kitchen": "knead dough oven flour butter whisk simmer pan garlic salt pepper",
    "garden": "prune roses soil seed water compost hedge spade frost bloom root shade",
    "harbor": "anchor tide crane cargo hull rope pilot buoy ferry dock sail harbor",
    "forge": "hammer anvil glow iron tongs spark quench blade rivet bellows coal forge",
}


def run(*words: str) -> str:
    result = CliRunner().invoke(cli, list(words))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
def test_text_becomes_an_answer(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pages = tmp_path / "pages"
    pages.mkdir()
    for number in range(8):
        words = [word for topic in TOPICS.values() for word in topic.split()]
        own = TOPICS[list(TOPICS)[number % 4]].split()
        sentences = [
            " ".join([*rng.choice(own, 12), *rng.choice(words, 6)]).capitalize() + "."
            for _ in range(125)
        ]
        (pages / f"{number}.txt").write_text(" ".join(sentences))
    corpus, runs, bundles = (str(tmp_path / n) for n in ("corpus", "runs", "bundles"))

    run("corpus", "text", str(pages), "--name", "tales", "--out", corpus)
    run("train", corpus, "--recipe", "smoke", "--name", "first", "--runs", runs)
    run("bundle", "build", f"{runs}/first", "--bundles", bundles, "--promote")

    with TestClient(create_app(Settings(bundles=Path(bundles)))) as client:
        assert client.get("/readyz").status_code == 200
        ids = list(load_corpus(Path(corpus)).ids[:100])
        answer = client.post(
            "/predict", json={"ids": ids, "k": 3, "return_texts": True}
        ).json()
        hitk = client.get("/metrics/hitk", params={"k": 5}).json()

    assert len(answer["neighbors"]) == 3, answer
    assert answer["num_context"] == 100
    assert not {n["id"] for n in answer["neighbors"]} & set(ids)
    assert all(n["text"].endswith(".") for n in answer["neighbors"])
    fresh = {
        pool["pool"]: pool["exact"]["hit_at"]["5"]["value"] for pool in hitk["pools"]
    }
    recorded = {
        pool["pool"]: pool["recorded"]["validation"]["hit_at"]["5"]["value"]
        for pool in hitk["pools"]
    }
    assert fresh == recorded
    assert set(fresh) == {"documents", "index"}  # too few passages for N = 1,148
