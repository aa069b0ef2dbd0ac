from dataclasses import asdict

import pytest

from benchmarks.ablation.failures import FAILURES, Failure
from benchmarks.ablation.findings import findings
from benchmarks.ablation.study import Study
from benchmarks.ablation.variants import VARIANTS, StudyConfig, Variant

BY_NAME = {variant.name: variant for variant in VARIANTS}


def test_names_are_unique_and_so_are_the_options() -> None:
    assert len(BY_NAME) == len(VARIANTS)
    told = {str(asdict(v) | {"name": "", "about": ""}) for v in VARIANTS}
    assert len(told) == len(VARIANTS)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)
def test_a_pair_differs_in_what_it_says_and_in_nothing_else(failure: Failure) -> None:
    broken, mended = (asdict(BY_NAME[n]) for n in (failure.broken, failure.mended))

    differing = {
        name
        for name in broken
        if broken[name] != mended[name] and name not in {"name", "about"}
    }

    assert differing == set(failure.differs)


def test_every_run_shows_or_mends_a_failure() -> None:
    used = {name for f in FAILURES for name in (f.broken, f.mended)}

    assert used == set(BY_NAME)


def test_every_failure_has_a_rule(tiny_study: Study) -> None:
    assert [f.failure for f in findings(tiny_study)] == list(FAILURES)


@pytest.mark.parametrize(
    ("name", "value"), [("epochs", 0), ("seed", -1), ("stride", 0), ("num_slots", 0)]
)
def test_values_that_no_study_can_have_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least"):
        StudyConfig(**{name: value})


def test_the_recipe_of_the_report_is_the_default() -> None:
    plain = Variant(name="plain", about="")

    assert (plain.lr, plain.contrast, plain.dropout) == (0.0005, 0.1, 0.1)
    assert (plain.output, plain.loss_on) == ("unit change", "change")
