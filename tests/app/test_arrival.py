"""What a connection remembers of the clients that came over it."""

import math

from nextvec.app.arrival import Visitor


def test_who_was_told_is_early_until_then() -> None:
    visitor = Visitor()

    visitor.tell_to_wait("10.0.0.7", 3600)

    assert visitor.is_early("10.0.0.7")
    assert not visitor.is_early("10.0.0.8")
    assert not visitor.is_early(None)


def test_nobody_was_told_at_first() -> None:
    assert not Visitor().is_early(None)


def test_who_comes_in_time_begins_anew() -> None:
    visitor = Visitor(told="10.0.0.7", told_until=-math.inf, num_early=3)

    assert not visitor.is_early("10.0.0.7")
    assert visitor.num_early == 0


def test_what_one_did_is_not_held_against_another() -> None:
    visitor = Visitor(told="10.0.0.7", told_until=math.inf, num_early=3)

    visitor.tell_to_wait("10.0.0.7", 1)
    assert visitor.num_early == 3
    visitor.tell_to_wait("10.0.0.8", 1)
    assert visitor.num_early == 0
