"""Documentation that cannot lag."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nextvec.app.commands.main import COMMANDS as LAZY
from nextvec.training.config import TrainingConfig, option_defaults, option_help
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.files import read_json
from nextvec.training.recipe import recipe_names
from nextvec.training.run import run_name

ROOT = Path(__file__).parent.parent
RESULTS = sorted(ROOT.glob("docs/studies/[!a]*/results/*.json"))
PAGES = sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md"))
COMMANDS = {name: lazy.load(name) for name, lazy in LAZY.items()}


@pytest.mark.parametrize("name", sorted(option_defaults()))
def test_every_training_option_is_documented_with_its_default(name: str) -> None:
    text = (ROOT / "docs/training.md").read_text()

    option, default = f"`--{name.replace('_', '-')}`", option_defaults()[name]

    assert f"| {option} | `{name}` | {default} | {option_help()[name]} |" in text


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_documented(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "docs/training.md").read_text()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_in_the_readme(name: str) -> None:
    if name != "recipes":  # that one is where recipes are explained
        assert f"`nextvec {name}`" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_exists(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())

    missing = [
        link
        for link in links
        if not link.startswith("http") and not is_there(page, link)
    ]

    assert missing == []


def is_there(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    kept = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in kept}


def test_the_makefile_has_what_the_readme_calls() -> None:
    called = set(re.findall(r"make ([a-z]+)\b  ", (ROOT / "README.md").read_text()))
    targets = set(
        re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )

    assert {"run", "test"} <= called <= targets


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_shipped_result_is_found_by_its_options_again(
    path: Path, make_corpus: Callable[..., Corpus]
) -> None:
    result = read_json(path)
    corpus = make_corpus([1])
    card = replace(corpus.card, name=result["corpus"]["name"])
    corpus = replace(corpus, card=card)
    corpus.__dict__["fingerprint"] = result["corpus"]["fingerprint"]

    config = TrainingConfig.from_dict(result["options"], source=path.name)

    assert run_name(corpus, config) == path.stem
    assert json.dumps(config.to_dict()) == json.dumps(result["options"])
