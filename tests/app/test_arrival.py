"""What a connection remembers of the clients that came over it."""

import math

import pytest

from nextvec.app.arrival import Visitor


def test_who_was_told_is_early_until_then() -> None:
    visitor = Visitor()

    visitor.tell_to_wait("10.0.0.7", 3600)

    assert visitor.comes_early("10.0.0.7")


@pytest.mark.parametrize("address", ["10.0.0.8", None])
def test_another_client_of_the_same_connection_is_not(address: str | None) -> None:
    visitor = Visitor()

    visitor.tell_to_wait("10.0.0.7", 3600)

    assert not visitor.comes_early(address)


def test_nobody_was_told_at_first() -> None:
    assert not Visitor().comes_early(None)


def test_who_comes_early_again_is_held_twice_as_long_each_time() -> None:
    visitor = Visitor(told="10.0.0.7", told_until=math.inf)

    held_s = []
    for _ in range(4):
        assert visitor.comes_early("10.0.0.7")
        held_s.append(visitor.patience_s(0.5))

    assert held_s == [0.5, 1, 2, 4]


def test_and_so_often_that_no_number_is_too_large() -> None:
    visitor = Visitor(told="10.0.0.7", told_until=math.inf, num_early=100_000)

    assert visitor.comes_early("10.0.0.7")
    assert visitor.patience_s(0.001) < math.inf


def test_who_comes_in_time_begins_anew() -> None:
    visitor = Visitor(told="10.0.0.7", told_until=-math.inf, num_early=3)

    assert not visitor.comes_early("10.0.0.7")
    assert visitor.num_early == 0


def test_what_one_did_is_not_held_against_another() -> None:
    visitor = Visitor(told="10.0.0.7", told_until=math.inf, num_early=3)

    visitor.tell_to_wait("10.0.0.7", 1)
    assert visitor.num_early == 3
    visitor.tell_to_wait("10.0.0.8", 1)
    assert visitor.num_early == 0
