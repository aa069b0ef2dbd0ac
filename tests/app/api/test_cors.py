"""Pages of other origins ask only where an operator lets them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from nextvec.app.access.key_file import create_key
from nextvec.app.api.app import create_app
from nextvec.app.settings import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.app.conftest import World

PAGE = "https://page.example"
PREFLIGHT = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type",
}


@contextmanager
def serving(
    world: World, origins: str | None, keys: Path | None = None
) -> Iterator[TestClient]:
    settings = Settings(
        bundles=world.bundles, threads=1, cors_origins=origins, keys=keys
    )
    with TestClient(create_app(settings)) as client:
        yield client


def test_by_default_no_other_origin_may_ask(client: TestClient) -> None:
    answer = client.get("/info", headers={"Origin": PAGE})

    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert client.options("/predict", headers=PREFLIGHT).status_code == 405


@pytest.mark.parametrize("origins", [PAGE, f"http://other.example:8080, {PAGE}", "*"])
def test_an_origin_that_is_told_may_ask_and_read(world: World, origins: str) -> None:
    with serving(world, origins) as client:
        before = client.options("/predict", headers=PREFLIGHT)
        answer = client.get("/info", headers={"Origin": PAGE})

    allowed = "*" if origins == "*" else PAGE
    assert before.status_code == 200
    assert before.headers["access-control-allow-origin"] == allowed
    for header in ("Authorization", "X-API-Key", "X-Request-Timeout-Ms"):
        assert header in before.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == allowed
    for header in ("Age", "Retry-After"):
        assert header in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


def test_another_origin_may_not(world: World) -> None:
    with serving(world, "https://other.example") as client:
        assert client.options("/predict", headers=PREFLIGHT).status_code == 400
        answer = client.get("/info", headers={"Origin": PAGE})

    assert "access-control-allow-origin" not in answer.headers


def test_a_page_asks_before_it_has_a_key_and_reads_why_it_is_refused(
    world: World, tmp_path: Path
) -> None:
    create_key(tmp_path / "keys.json", "predict")
    with serving(world, PAGE, tmp_path / "keys.json") as client:
        before = client.options("/predict", headers=PREFLIGHT)
        answer = client.post("/predict", headers={"Origin": PAGE})

    assert before.status_code == 200
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize(
    ("name", "told", "said"),
    [
        ("cors_origins", "page.example", "got 'page.example'"),
        ("cors_origins", f"{PAGE}/", "expected scheme://host"),
        ("cors_origins", f"{PAGE},", "got ''"),
        ("cors_origins", "https://*.example", "expected scheme://host"),
        ("trusted_proxies", "*", "expected addresses or networks"),
        ("trusted_proxies", "proxy.example", "'proxy.example'"),
        ("trusted_proxies", "10.0.0.1/8", "host bits set"),
        ("rate_per_key", "100", "rate_per_key"),
        ("rate_per_key", "0/second", "rate_per_key"),
        ("rate_per_address", "1/fortnight", "rate_per_address"),
        ("rate_refused", "", "rate_refused"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    name: str, told: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=name) as refused:
        read_settings(**{name: told})

    assert said in str(refused.value)
