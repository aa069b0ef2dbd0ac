"""What is kept of a key, and what is not."""

from dataclasses import asdict

import pytest

from nextvec.app.access.key import SCOPES, Scope, id_of, new_key


def test_a_key_is_known_again_and_what_is_kept_does_not_hold_it() -> None:
    key, secret = new_key("predict", "mobile")

    assert key.is_of(secret)
    assert not key.is_of(new_key("predict")[1])
    assert id_of(secret) == key.id
    assert secret.rpartition("_")[2] not in str(asdict(key))


def test_no_two_keys_are_alike() -> None:
    keys = [new_key("predict") for _ in range(100)]

    assert len({secret for _, secret in keys}) == 100
    assert {len(secret) for _, secret in keys} == {81}


def test_a_key_without_a_name_is_called_as_its_id() -> None:
    key, _ = new_key("admin")

    assert key.name == key.id


@pytest.mark.parametrize(
    ("held", "allowed"),
    [
        pytest.param("predict", {"predict"}, id="predict"),
        pytest.param("metrics", {"metrics"}, id="metrics"),
        pytest.param("admin", {"predict", "metrics", "admin"}, id="admin is for all"),
    ],
)
def test_a_scope_allows_no_more_than_it_says(held: Scope, allowed: set[Scope]) -> None:
    key, _ = new_key(held)

    assert {scope for scope in SCOPES if key.allows(scope)} == allowed


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "nextvec_",
        "nextvec_0123abcd_" + 63 * "0",
        "nextvec_0123abcd_" + 65 * "0",
        "nextvec_0123ABCD_" + 64 * "0",
        "nextvec_0123abcd_" + 64 * "é",
        "nextvec_0123abcd_" + 64 * "0" + "\n",
        64 * "0",
    ],
)
def test_what_has_not_the_form_of_a_key_has_no_id(shown: str) -> None:
    assert id_of(shown) is None
