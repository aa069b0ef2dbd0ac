from pathlib import Path

import pytest

from nextvec.training.config import TrainingConfig
from nextvec.training.errors import TrainingError
from nextvec.training.recipe import read_recipe, recipe_names, resolve

RECIPE = """
architecture = "baseline"
lr = 0.5
hidden_size = 16

[architectures.hierarchical]
hidden_size = 24
chunk_size = 5
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(RECIPE)
    return str(path)


@pytest.mark.parametrize("name", recipe_names())
@pytest.mark.parametrize("architecture", ["baseline", "memory", "hierarchical"])
def test_every_shipped_recipe_resolves_for_every_architecture(
    name: str, architecture: str
) -> None:
    assert resolve(name, {"architecture": architecture}).architecture == architecture


def test_a_recipe_wins_over_the_defaults(recipe: str) -> None:
    config = resolve(recipe, {})

    assert config == TrainingConfig(architecture="baseline", lr=0.5, hidden_size=16)


def test_the_table_of_an_architecture_wins_over_the_recipe(recipe: str) -> None:
    config = resolve(recipe, {"architecture": "hierarchical"})

    assert (config.hidden_size, config.chunk_size, config.lr) == (24, 5, 0.5)


def test_what_is_told_by_hand_wins_over_everything(recipe: str) -> None:
    told = {"architecture": "hierarchical", "hidden_size": 8, "lr": 0.25}

    config = resolve(recipe, told)

    assert (config.hidden_size, config.chunk_size, config.lr) == (8, 5, 0.25)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("units = 3", "no option is called 'units'", id="unknown"),
        pytest.param("architectures = 3", "architectures takes tables", id="number"),
        pytest.param("architectures.memory = 3", "takes tables named", id="no table"),
        pytest.param("[architectures.lstm]\nlr = 1.0", "takes tables named", id="lstm"),
        pytest.param(
            "[architectures.memory]\nunits = 3", "no option is called 'units'", id="own"
        ),
        pytest.param(
            'architecture = ["memory"]',
            "architecture: Input should be 'baseline'",
            id="list",
        ),
    ],
)
def test_a_recipe_with_a_mistake_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)

    with pytest.raises(TrainingError, match=message):
        resolve(str(path), {})


def test_the_shipped_recipes_are_listed() -> None:
    assert recipe_names() == [
        "default",
        "fiddle",
        "items",
        "seed-failed",
        "seed-fixed",
        "smoke",
        "tunes",
    ]


@pytest.mark.parametrize("name", recipe_names())
@pytest.mark.parametrize("architecture", ["baseline", "memory", "hierarchical"])
def test_every_shipped_recipe_is_a_configuration(name: str, architecture: str) -> None:
    recipe = read_recipe(name)
    recipe.pop("architectures", None)

    config = TrainingConfig.from_dict(
        recipe | {"architecture": architecture}, source=name
    )

    assert config.architecture == architecture
    for option, value in (recipe | {"architecture": architecture}).items():
        assert getattr(config, option) == value


def test_the_seed_s_two_runs_differ_as_its_report_says() -> None:
    failed, fixed = read_recipe("seed-failed"), read_recipe("seed-fixed")

    assert (failed["lr"], failed["lambda_infonce"]) == (5e-4, 0.1)
    # none added: what is left is the network's own
    assert failed["dropout"] == 0.1
    assert (fixed["lr"], fixed["lambda_infonce"], fixed["dropout"]) == (1e-4, 0.05, 0.3)


def test_a_recipe_can_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('lr = 0.5\narchitecture = "baseline"\n')

    assert read_recipe(str(path)) == {"lr": 0.5, "architecture": "baseline"}


def test_an_unknown_recipe_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        TrainingError, match=r"no recipe 'mine': .* default, fiddle, items"
    ):
        read_recipe("mine")


def test_a_missing_recipe_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no recipe '.*mine\.toml'"):
        read_recipe(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"lr = = 1", r"mine\.toml: not TOML"), (b"\xff\xfe", r"mine\.toml: not UTF-8")],
)
def test_a_recipe_that_is_not_toml_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)

    with pytest.raises(TrainingError, match=message):
        read_recipe(str(path))
