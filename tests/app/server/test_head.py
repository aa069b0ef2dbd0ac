"""What of a request comes before its body."""

import pytest

from nextvec.app.server.head import Head, HeadTooLargeError, HostError


def test_it_becomes_a_scope() -> None:
    head = Head(1000)
    for piece in (b"/a%20b", b"?k=1"):
        head.add_url(piece)
    head.add_header(b"Host", b"me")
    head.add_header(b"Expect", b"100-Continue")

    head.check_host("1.1")
    scope = head.scope(b"POST", "1.1")

    assert (scope["method"], scope["path"]) == ("POST", "/a b")
    assert (scope["raw_path"], scope["query_string"]) == (b"/a%20b", b"k=1")
    assert scope["headers"] == [(b"host", b"me"), (b"expect", b"100-Continue")]
    assert head.awaits_continue


def test_the_absolute_form_is_understood() -> None:
    head = Head(1000)
    head.add_url(b"http://me:8000/predict?k=1")

    assert head.scope(b"GET", "1.1")["path"] == "/predict"


def test_a_trailer_counts_and_is_no_header() -> None:
    head = Head(40)
    head.is_complete = True

    head.add_header(b"x-api-key", b"mine")

    assert head.scope(b"GET", "1.1")["headers"] == []
    with pytest.raises(HeadTooLargeError):
        head.add_header(b"x", b"y" * 40)


def test_no_part_of_it_is_longer_than_all_may_be() -> None:
    with pytest.raises(HeadTooLargeError):
        Head(10).add_url(b"/" * 11)
    with pytest.raises(HeadTooLargeError):
        Head(10).feed(11)


@pytest.mark.parametrize(
    ("hosts", "version", "is_right"),
    [
        (1, "1.1", True),
        (1, "1.0", True),
        (0, "1.0", True),
        (0, "1.1", False),
        (2, "1.1", False),
        (2, "1.0", False),
    ],
)
def test_it_has_one_host(hosts: int, version: str, is_right: bool) -> None:
    head = Head(1000)
    for _ in range(hosts):
        head.add_header(b"host", b"me")

    if is_right:
        head.check_host(version)
        return
    with pytest.raises(HostError, match="one Host"):
        head.check_host(version)


def test_it_is_told_again_without_an_offer() -> None:
    head = Head(1000)
    head.add_url(b"/predict")
    for name, value in ((b"Host", b"me"), (b"Upgrade", b"h2c")):
        head.add_header(name, value)

    again = head.without_upgrade(b"POST", "1.1")

    assert again == b"POST /predict HTTP/1.1\r\nhost: me\r\n\r\n"
