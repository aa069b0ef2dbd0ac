"""How the service and other servers are set side by side."""

import orjson
import pytest

from benchmarks.servers.comparison import (
    Comparison,
    Rounds,
    comparison_section,
    ids_of,
    ratios,
)


@pytest.fixture
def comparison() -> Comparison:
    """Two rounds; BentoML's files are cheaper, its arrays the better of two layouts."""
    return Comparison(
        rounds={
            ("nextvec", "as set up", "octets"): Rounds([4.0, 8.0], [300.0, 150.0]),
            ("nextvec", "as set up", "JSON arrays"): Rounds([8.0, 9.0], [99.0, 99.0]),
            ("BentoML", "1 x 2", "JSON arrays"): Rounds(
                [16.0, 32.0], [50.0, 25.0], [7.0, 9.0]
            ),
            ("BentoML", "2 x 1", "JSON arrays"): Rounds([20.0, 40.0], [100.0, 50.0]),
            ("BentoML", "2 x 1", "file"): Rounds([12.0, 24.0], [60.0, 30.0]),
            ("LitServe", "1 x 2", "JSON arrays"): Rounds([40.0, 80.0], [30.0, 15.0]),
            ("LitServe", "1 x 2", "base64"): Rounds([20.0, 40.0], [60.0, 30.0]),
        },
        shared=0.995,
    )


def test_the_best_of_a_server_is_taken_for_each_figure(comparison: Comparison) -> None:
    assert comparison.best("BentoML").one_ms == [12.0, 24.0]
    assert comparison.best("BentoML").per_s == [100.0, 50.0]
    assert comparison.best("BentoML", "JSON arrays").one_ms == [16.0, 32.0]


def test_ratios_are_of_the_same_round(comparison: Comparison) -> None:
    own = comparison.best("nextvec")

    assert ratios(own, comparison.best("BentoML", "JSON arrays")) == (4.0, 3.0)
    assert ratios(own, own) == (1.0, 1.0)


def test_each_peer_is_judged_as_documented_and_at_its_cheapest(
    comparison: Comparison,
) -> None:
    section = comparison_section(comparison, rows=5, dim=2)

    found = {goal.what: (goal.found, goal.is_reached) for goal in section.goals}
    assert found["p50 of BentoML, body as documented, over ours"] == (4.0, True)
    assert found["p50 of LitServe, body as documented, over ours"] == (10.0, True)
    assert found["p50 of LitServe, body cheapest, over ours"] == (5.0, True)
    rate = "our rate over that of {}, body {}"
    assert found[rate.format("BentoML", "cheapest")] == (3.0, True)
    assert found[rate.format("LitServe", "as documented")] == (10.0, True)
    assert "| BentoML | 1 x 2 | JSON arrays | 24.0 | 38 | 8.0 | 4.00 | 6.00 |" in (
        section.lines
    )
    assert any("found 99.5 %" in line for line in section.lines)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"neighbors": [{"id": "a"}, {"id": "b"}]}, id="nextvec"),
        pytest.param([{"ids": ["a", "b"], "scores": [1.0, 0.5]}], id="BentoML"),
        pytest.param({"ids": ["a", "b"], "scores": [1.0, 0.5]}, id="LitServe"),
    ],
)
def test_ids_are_read_from_every_answer(answer: object) -> None:
    assert ids_of(orjson.dumps(answer)) == ["a", "b"]
