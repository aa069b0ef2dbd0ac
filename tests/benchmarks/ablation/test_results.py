import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ablation.results import Result, pack_hits, unpack_hits
from benchmarks.ablation.study import Study


@given(st.lists(st.booleans()))
def test_packed_hits_come_back(hits: list[bool]) -> None:
    assert unpack_hits(pack_hits(hits), len(hits)).tolist() == hits


@pytest.mark.parametrize("packed", ["", "ff", "ffffff", "not hexadecimal"])
def test_hits_of_another_number_of_windows_are_refused(packed: str) -> None:
    with pytest.raises(ValueError, match=r"expected 9 booleans|hexadecimal"):
        unpack_hits(packed, 9)


def test_a_result_comes_back_from_json(tiny_study: Study) -> None:
    for result in tiny_study.results.values():
        plain = orjson.loads(orjson.dumps(result.to_dict()))

        assert Result.from_dict(plain) == result


def test_a_result_that_lacks_an_epoch_is_refused(tiny_study: Study) -> None:
    plain = tiny_study.results["change-loss"].to_dict()
    plain["hits"]["documents"] = plain["hits"]["documents"][:-1]

    with pytest.raises(ValueError, match="expected hits of 3 epochs in documents"):
        Result.from_dict(plain)


def test_the_best_epoch_is_the_first_of_equals_and_a_trained_one(
    tiny_study: Study,
) -> None:
    result = tiny_study.results["change-loss"]
    hits = [result.hits_at("targets", n).sum() for n in range(len(result.epochs))]

    best = result.best_epoch("targets")

    assert best >= 1
    assert hits[best] == max(hits[1:])
    assert hits.index(hits[best], 1) == best
