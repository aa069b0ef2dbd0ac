import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nextvec.training.errors import TrainingError
from nextvec.training.study.foreign import FOREIGN, foreign_rows, read_foreign

MakeResult = Callable[..., dict[str, Any]]


def test_results_of_other_libraries_are_those_of_this_corpus(
    make_result: MakeResult, make_foreign: MakeResult, tmp_path: Path
) -> None:
    own = make_result()
    (tmp_path / FOREIGN).mkdir()
    here = own["corpus"]["fingerprint"]
    for name, fingerprint, more in (
        ("SASRec", here, 0),
        ("GRU4Rec", "other", 0),
        ("other windows", here, 1),
    ):
        foreign = make_foreign(model=name, fingerprint=fingerprint)
        foreign["test_evaluation"]["pools"][0]["num_windows"] += more
        (tmp_path / FOREIGN / f"{name}.json").write_text(json.dumps(foreign))

    assert [r["model"] for r in read_foreign(tmp_path, own)] == ["SASRec"]
    assert read_foreign(tmp_path / "nowhere", own) == []
    (tmp_path / FOREIGN / "broken.json").write_text("{}")
    with pytest.raises(TrainingError, match=r"broken\.json: no result of another"):
        read_foreign(tmp_path, own)


def test_a_foreign_lift_over_another_baseline_is_named(
    make_result: MakeResult, make_foreign: MakeResult, tmp_path: Path
) -> None:
    (tmp_path / FOREIGN).mkdir()
    foreign = make_foreign()
    foreign["evaluation"]["pools"][0]["baseline"] = "another"
    (tmp_path / FOREIGN / "a.json").write_text(json.dumps(foreign))

    with pytest.raises(TrainingError, match=r"a\.json: .* got another: make it again"):
        read_foreign(tmp_path, make_result())


def test_other_settings_of_a_foreign_model_are_no_seeds_of_it(
    make_result: MakeResult, make_foreign: MakeResult, tmp_path: Path
) -> None:
    (tmp_path / FOREIGN).mkdir()
    for seed, width in ((0, 64), (1, 64), (2, 128)):
        foreign = make_foreign(seed=seed, settings={"seed": seed, "width": width})
        (tmp_path / FOREIGN / f"{seed}.json").write_text(json.dumps(foreign))

    with pytest.raises(TrainingError, match=r"SASRec \(a library 1\.0\): .* settings"):
        read_foreign(tmp_path, make_result())
    (tmp_path / FOREIGN / "2.json").unlink()
    assert len(read_foreign(tmp_path, make_result())) == 2


@pytest.mark.parametrize("name", ["settings", "model", "library", "seed", "k"])
def test_a_foreign_result_without_a_field_is_named(
    make_result: MakeResult, make_foreign: MakeResult, tmp_path: Path, name: str
) -> None:
    (tmp_path / FOREIGN).mkdir()
    foreign = make_foreign()
    del foreign[name]
    (tmp_path / FOREIGN / "a.json").write_text(json.dumps(foreign))

    with pytest.raises(TrainingError, match=rf"a\.json: .* library: {name} missing"):
        read_foreign(tmp_path, make_result())


def test_a_baseline_of_the_same_name_in_another_space_is_another(
    make_result: MakeResult, make_foreign: MakeResult, tmp_path: Path
) -> None:
    (tmp_path / FOREIGN).mkdir()
    foreign = make_foreign()
    foreign["evaluation"]["pools"][0]["baseline_hit_at"]["5"] /= 2
    (tmp_path / FOREIGN / "a.json").write_text(json.dumps(foreign))

    with pytest.raises(TrainingError, match=r"a\.json: .* over baseline_hit_at .* got"):
        read_foreign(tmp_path, make_result())


def test_another_cut_off_is_refused(
    make_result: MakeResult, make_foreign: MakeResult, tmp_path: Path
) -> None:
    (tmp_path / FOREIGN).mkdir()
    (tmp_path / FOREIGN / "a.json").write_text(json.dumps(make_foreign(k=10)))

    with pytest.raises(TrainingError, match=r"lift in Hit@5, got Hit@10"):
        read_foreign(tmp_path, make_result())


def test_one_seed_twice_is_no_second_seed(
    make_result: MakeResult, make_foreign: MakeResult, tmp_path: Path
) -> None:
    (tmp_path / FOREIGN).mkdir()
    for name in ("a", "b"):
        (tmp_path / FOREIGN / f"{name}.json").write_text(json.dumps(make_foreign()))

    with pytest.raises(TrainingError, match="two results with seed 0"):
        read_foreign(tmp_path, make_result())


def test_seeds_of_a_foreign_model_are_one_row(make_foreign: MakeResult) -> None:
    (row,) = foreign_rows([make_foreign(seed=1), make_foreign(seed=0)])

    assert row.title == "SASRec (a library 1.0)"
    assert row.seeds == [0, 1]
    assert row.pools("evaluation")[0].lift.value == pytest.approx(0.02)
