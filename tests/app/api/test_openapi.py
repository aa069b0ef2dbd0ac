"""The OpenAPI document tells the truth about the service."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from schemathesis.python.asgi import get_client

from nextvec.app.access.key_file import create_key
from nextvec.app.api.app import create_app
from nextvec.app.api.paths import PAGES, PROBES
from nextvec.app.api.timeouts import TIMEOUT
from nextvec.app.settings import Settings
from nextvec.app.wire.layouts import BATCH_NAMES, ONE_NAMES
from nextvec.app.wire.options import OPTION_NAMES
from nextvec.app.wire.problems import PROBLEM_TYPES

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

_CONFIG = {
    "checks": {
        "positive_data_acceptance": {
            # no schema can say which names an index holds (422, 404, 410), what length
            # is whole vectors (400), that a body is one of two types (415), or what
            # was live before (409)
            "expected-statuses": ["2xx", "3xx", 400, 404, 409, 410, 415, 422]
        }
    }
}


def _document(settings: Settings) -> dict[str, Any]:
    return create_app(settings).openapi()


def test_the_document_is_served_with_the_schema_of_problems(
    client: TestClient, settings: Settings
) -> None:
    served = client.get("/openapi.json").json()

    assert served == _document(settings)
    assert "error" in served["components"]["schemas"]["Problem"]["required"]


def test_what_is_described_keeps_its_name(tmp_path: Path) -> None:
    create_key(tmp_path / "keys.json", "predict")
    operations, guarded = (
        {
            f"{method} {path}": operation["operationId"]
            for path, methods in _document(settings)["paths"].items()
            for method, operation in methods.items()
        }
        for settings in (Settings(), Settings(keys=tmp_path / "keys.json"))
    )

    assert guarded == operations | {
        "get /admin/bundles": "list_bundles",
        "post /admin/promote": "promote",
        "post /admin/rollback": "rollback",
    }
    # HEAD is GET without its body and goes without saying; pages need no client
    assert operations == {
        "post /predict": "predict",
        "post /predict/batch": "predict_batch",
        "post /sessions": "open_session",
        "post /sessions/{session}": "append_to_session",
        "get /sessions/{session}": "describe_session",
        "delete /sessions/{session}": "delete_session",
        "post /step": "step",
        "get /metrics": "metrics",
        "get /metrics/hitk": "hitk",
        "get /info": "info",
        "get /livez": "livez",
        "get /healthz": "healthz",
        "get /readyz": "readyz",
        "get /": "home",
    }


@pytest.mark.parametrize(
    ("path", "contexts", "layout"),
    [
        ("/predict", ["context", "ids", "texts"], ONE_NAMES),
        ("/predict/batch", ["contexts", "ids", "texts"], BATCH_NAMES),
    ],
)
def test_every_option_is_described_for_both_encodings(
    path: str, contexts: list[str], layout: tuple[str, ...]
) -> None:
    operation = _document(Settings())["paths"][path]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]

    described = [field["name"] for field in operation["parameters"]]
    assert described == [*layout, *OPTION_NAMES, TIMEOUT]
    assert list(body["properties"]) == [*contexts, *OPTION_NAMES]


def test_every_problem_type_has_an_example_or_can_happen_anywhere() -> None:
    text = str(_document(Settings()))

    for kind in PROBLEM_TYPES:
        assert kind.uri in text


def test_what_a_key_is_needed_for_is_said_of_each_operation(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    create_key(path, "predict")
    key: list[dict[str, Any]] = [{"bearer": []}, {"header": []}]

    for settings, needed in (
        (Settings(keys=path), key),
        (Settings(), [{}, *key]),
    ):
        paths = _document(settings)["paths"]
        said = {
            path: operation["security"]
            for path, operations in paths.items()
            for operation in operations.values()
        }
        opened = {path for path, security in said.items() if not security}
        assert opened == {"/", "/livez", "/healthz", "/readyz"}
        assert all(said[path] == needed for path in said if path not in opened)
        for path, operations in paths.items():
            for operation in operations.values():
                answers = {"401", "403", "429"} & set(operation["responses"])
                limited = {"429"} if path == "/" else set()
                expected = limited if path in opened else {"401", "403", "429"}
                assert answers == expected


def test_what_is_added_to_a_status_leaves_what_was_there() -> None:
    answers = _document(Settings())["paths"]["/predict"]["post"]["responses"]["503"]

    examples = answers["content"]["application/problem+json"]["examples"]
    assert set(examples) == {"not-ready", "overloaded", "keys-unusable"}
    assert answers["description"].endswith("The keys of this service cannot be read")
    assert "Retry-After" in answers["headers"]


def test_the_limits_are_those_of_the_settings() -> None:
    document = _document(
        Settings(max_k=77, max_context=9, max_hitk_k=20, max_contexts=7, max_queue=5)
    )

    operation = document["paths"]["/predict"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["k"]["maximum"] == 77
    assert body["properties"]["context"]["maxItems"] == 9
    batch = document["paths"]["/predict/batch"]["post"]
    body = batch["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["contexts"]["maxItems"] == 5
    assert body["properties"]["texts"]["items"]["maxItems"] == 9
    _, cut_offs, *_ = document["paths"]["/metrics/hitk"]["get"]["parameters"]
    assert cut_offs["schema"]["items"]["maximum"] == 20


def _operations() -> list[tuple[str, str, GenerationMode]]:
    """Return all there is, some of it only where there are keys, and how it is asked.

    Of what takes nothing and is open nothing can be asked wrongly.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "keys.json"
        create_key(path, "admin")
        paths = _document(Settings(keys=path))["paths"]
    return [
        (path, method.upper(), mode)
        for path in paths
        for method in paths[path]
        for mode in GenerationMode
        if mode.is_positive or path not in PROBES | PAGES
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method", "mode"), _operations())
def test_the_service_does_what_it_says(
    settings: Settings, path: str, method: str, mode: GenerationMode, tmp_path: Path
) -> None:
    load_all_checks()
    # with keys, so that it is checked as well that none is answered without
    _, key = create_key(tmp_path / "keys.json", "admin")
    told = {"keys": tmp_path / "keys.json", "rate_refused": "1000000/second"}
    app = create_app(settings.model_copy(update=told))
    config = SchemathesisConfig.from_dict(_CONFIG)
    schema = schemathesis.openapi.from_dict(app.openapi(), config=config)
    schema.app = app
    operation = schema[path][method]
    checks: list[Any] = CHECKS.get_all()
    most = 15
    if path.startswith("/predict"):
        most = 100 if mode.is_positive else 40
    client: Any = get_client(app)  # type: ignore[arg-type]  # FastAPI is an ASGI app
    with client as session:

        @given(case=operation.as_strategy(generation_mode=mode))
        @examples(
            max_examples=most,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
            derandomize=True,
        )
        def conforms(case: schemathesis.Case[Any]) -> None:
            # of a moment it would be a 504 or not, as the machine has it
            if str(case.headers.get(TIMEOUT, "")).isdecimal():
                case.headers[TIMEOUT] = "60000"
            case.call_and_validate(
                session=session,
                checks=checks,
                headers={"Authorization": f"Bearer {key}"},
            )

        conforms()
