"""What can be set, asked or answered is documented."""

import dataclasses
from pathlib import Path

import pytest

from nextvec.app.api.app import create_app
from nextvec.app.bundle.manifest import Golden, Manifest
from nextvec.app.hitk.report import HitkReport
from nextvec.app.metrics import Metrics
from nextvec.app.settings import Settings
from nextvec.app.wire.options import OPTION_NAMES
from nextvec.app.wire.problems import PROBLEM_TYPES, ProblemType

DOCS = Path(__file__).parents[2] / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text()


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    field = Settings.model_fields[name]
    default = "not set" if field.default is None else f"`{field.default}`"

    assert field.description
    assert f"| `NEXTVEC_{name.upper()}` | {default} |" in page("configuration.md")


@pytest.mark.parametrize(
    "path",
    [
        *create_app(Settings()).openapi()["paths"],
        *("/admin/bundles", "/admin/promote", "/admin/rollback"),
    ],
)
def test_every_endpoint_is_documented(path: str) -> None:
    assert f"`{path}`" in page("api.md") or f" {path}`" in page("api.md")


@pytest.mark.parametrize("kind", PROBLEM_TYPES, ids=lambda kind: kind.slug)
def test_every_problem_type_is_documented_with_its_status(kind: ProblemType) -> None:
    row = f"| `{kind.slug}` | {kind.status} |"

    assert row in page("api.md")


def test_the_documented_problem_types_are_all_there_are() -> None:
    section = page("api.md").partition("## Problems")[2].partition("\n## ")[0]
    slugs = [line.split("`")[1] for line in section.splitlines() if "| `" in line]

    assert slugs == [kind.slug for kind in PROBLEM_TYPES]


@pytest.mark.parametrize("kind", PROBLEM_TYPES, ids=lambda kind: kind.slug)
def test_every_problem_type_is_in_the_runbook(kind: ProblemType) -> None:
    assert f"| {kind.status} | `{kind.slug}` |" in page("operations.md")


@pytest.mark.parametrize("name", OPTION_NAMES)
def test_every_option_of_predict_is_documented(name: str) -> None:
    assert f"| `{name}` |" in page("api.md")


@pytest.mark.parametrize(
    "name", [field.name for field in dataclasses.fields(HitkReport)]
)
def test_every_field_of_the_hitk_report_is_documented(name: str) -> None:
    assert f"`{name}`" in page("api.md")


@pytest.mark.parametrize(
    "name",
    [
        field.name
        for field in (*dataclasses.fields(Manifest), *dataclasses.fields(Golden))
    ],
)
def test_every_field_of_a_manifest_is_documented(name: str) -> None:
    assert f"`{name}`" in page("bundle.md")


def every_metric() -> Metrics:
    metrics = Metrics(lambda: 0)
    metrics.watch_sessions((), lambda: 0)
    return metrics


def test_every_metric_is_documented() -> None:
    names = {
        family.name
        for family in every_metric().registry.collect()
        if family.name.startswith("nextvec")
    }

    assert len(names) > 10
    for name in names:
        assert f"`{name}" in page("operations.md")
