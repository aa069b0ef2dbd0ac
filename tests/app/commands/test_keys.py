"""``nextvec keys``, and what asks with a key."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from nextvec.app.access.key_file import create_key, read_keys
from nextvec.app.access.key_ring import KeyRing
from nextvec.app.commands.client import Client
from nextvec.app.commands.main import cli
from nextvec.app.commands.pipeline import Live, curl_line
from nextvec.app.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi.testclient import TestClient
    from typer.testing import Result

WIDE = {"COLUMNS": "200", "TERM": "dumb"}


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, [str(a) for a in arguments], env=WIDE)
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of keys that is not there yet, known by the environment."""
    path = tmp_path / "keys.json"
    monkeypatch.setenv("NEXTVEC_KEYS", str(path))
    return path


def test_the_new_key_alone_goes_to_standard_output(path: Path) -> None:
    made = run("keys", "create", "--scope", "predict", "--name", "mobile")

    key = KeyRing(path).find(made.stdout.strip())
    assert key is not None
    assert (key.name, key.scope) == ("mobile", "predict")
    assert made.stdout.strip() not in made.stderr
    assert f"Key mobile ({key.id}) of the scope predict, in {path}" in made.stderr
    assert "answers nobody without a key" in made.stderr

    again = run("keys", "create")
    assert "answers nobody" not in again.stderr


def test_keys_are_listed_without_what_they_are(path: Path) -> None:
    assert "none" in run("keys", "list").stdout
    assert json.loads(run("keys", "list", "--json").stdout) == []
    key, secret = create_key(path, "admin", "operator")

    listed = run("keys", "list").stdout
    as_json = run("keys", "list", "--json").stdout

    assert f"operator  {key.id}, admin, created {key.created}" in listed
    assert json.loads(as_json) == [
        {
            "id": key.id,
            "name": "operator",
            "scope": "admin",
            "created": key.created,
        }
    ]
    for text in (listed, as_json):
        assert key.sha256 not in text
        assert secret not in text


def test_a_key_is_revoked_by_its_name(path: Path) -> None:
    create_key(path, "admin", "operator")
    create_key(path, "predict", "mobile")

    assert "operator" in run("keys", "revoke", "operator").stdout
    assert [key.name for key in read_keys(path).values()] == ["mobile"]
    last = run("keys", "revoke", "mobile").stdout
    assert "the service answers nobody" in last
    assert f"delete {path}" in last


def test_an_option_names_another_file(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other keys.json"

    listed = run("keys", "list", "--keys", other).stdout
    assert f"keys create --scope predict --keys {shlex.quote(str(other))}" in listed
    run("keys", "create", "--keys", other)

    assert other.exists()
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("revoke", "mobile"), "there are no keys", id="no file"),
        pytest.param(("create", "--name", "a b"), "name: expected", id="name"),
    ],
)
def test_what_cannot_be_done_is_told(
    path: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert said in run("keys", *arguments, code=1).output
    assert not path.exists()


def test_an_unknown_scope_is_no_command(path: Path) -> None:
    assert "predict" in run("keys", "create", "--scope", "root", code=2).output
    assert not path.exists()


def test_a_broken_file_is_told_and_left_as_it_is(path: Path) -> None:
    path.write_text("{")

    for arguments in (("list",), ("create",), ("revoke", "mobile")):
        assert "expected keys of format 1" in run("keys", *arguments, code=1).output
    assert path.read_text() == "{"


def test_up_tells_of_broken_keys_before_it_makes_anything(
    path: Path, tmp_path: Path
) -> None:
    path.write_text("{")

    told = run("up", "--root", tmp_path / "made", code=1).output

    assert "expected keys of format 1" in told
    assert not (tmp_path / "made").exists()


def test_what_up_says_to_paste_holds_a_key_where_one_is_needed(
    path: Path, tmp_path: Path
) -> None:
    live = Live(version="v", run=tmp_path, card={}, example=["a"])

    with_keys = curl_line(live, Settings(keys=path))
    without = curl_line(live, Settings(keys=None))

    assert '-H "Authorization: Bearer $NEXTVEC_API_KEY" -H' in with_keys
    assert "Authorization" not in without


def test_the_page_says_what_to_do_where_a_key_is_needed(client: TestClient) -> None:
    page = client.get("/").text

    assert '<div id="key" hidden>' in page
    assert "<code>nextvec keys create</code>" in page
    assert "Authorization: Bearer $NEXTVEC_API_KEY" in page


def test_a_client_does_not_show_its_key() -> None:
    assert "secret" not in repr(Client("http://127.0.0.1:1", api_key="secret"))
