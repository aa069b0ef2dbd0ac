"""Small parts: logs, threads, settings, steps."""

import json
import logging
import os
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from nextvec.app.api.app import create_app
from nextvec.app.hitk.validator import steps
from nextvec.app.inference.threads import usable_cpus
from nextvec.app.logs import JsonFormatter, configure_logs
from nextvec.app.settings import Settings


def test_a_log_line_is_one_json_object_with_its_fields() -> None:
    record = logging.makeLogRecord(
        {"name": "app", "levelname": "INFO", "msg": "it is %s", "args": ("so",), "k": 3}
    )

    line = json.loads(JsonFormatter().format(record))

    assert (line["event"], line["level"], line["k"]) == ("it is so", "INFO", 3)
    assert set(line) == {"time", "level", "logger", "event", "k"}


@pytest.mark.parametrize("odd", ["caf\udce9.json", 1 << 70])
def test_what_json_hardly_has_is_a_line_all_the_same(odd: object) -> None:
    record = logging.makeLogRecord({"msg": "it is so", "odd": odd})

    line = JsonFormatter().format(record)

    assert json.loads(line)["odd"] == odd
    assert line.isascii()


def test_a_log_line_holds_the_exception() -> None:
    try:
        json.loads("broken")
    except ValueError:
        record = logging.makeLogRecord({"exc_info": sys.exc_info()})

    line = JsonFormatter().format(record)

    assert "JSONDecodeError: Expecting value" in json.loads(line)["exception"]
    assert "\n" not in line


def test_logs_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        configure_logs("WARNING")
        logging.getLogger("app").warning("something", extra={"k": 1})
        logging.getLogger("app").info("nothing")
    finally:
        root.handlers[:] = before
        root.setLevel(level)

    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["something"]


class TestUsableCpus:
    @pytest.fixture(autouse=True)
    def eight(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let this process run on eight processors."""
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))

    def cpus(self, tmp_path: Path, groups: str, **quotas: str) -> int:
        """Count them where a group, by its path, holds these files."""
        (tmp_path / "cgroup").write_text(groups)
        for place, content in quotas.items():
            path = tmp_path / "mounted" / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return usable_cpus(tmp_path / "cgroup", tmp_path / "mounted")

    @pytest.mark.parametrize(
        ("quota", "most"),
        [
            ("100000 100000", 1),
            ("150000 100000", 1),
            ("50000 100000", 1),
            ("250000 100000", 2),
            ("30000 10000", 3),
            ("1600000 100000", 8),
            ("max 100000", 8),
            ("", 8),
            ("nonsense here", 8),
            ("100000 0", 8),
        ],
    )
    def test_a_container_s_quota_bounds_them(
        self, tmp_path: Path, quota: str, most: int
    ) -> None:
        assert self.cpus(tmp_path, "0::/\n", **{"cpu.max": quota}) == most

    def test_the_least_quota_around_a_group_counts(self, tmp_path: Path) -> None:
        quotas = {
            "cpu.max": "max 100000",
            "pod/cpu.max": "300000 100000",
            "pod/one/cpu.max": "700000 100000",
            "other/cpu.max": "100000 100000",
        }

        assert self.cpus(tmp_path, "0::/pod/one/deep\n", **quotas) == 3

    def test_a_container_may_not_know_what_it_is_called_outside(
        self, tmp_path: Path
    ) -> None:
        quota = {"cpu.max": "200000 100000"}

        assert self.cpus(tmp_path, "0::/docker/f00\n", **quota) == 2
        assert self.cpus(tmp_path, "0::/../../f00\n", **quota) == 2
        assert usable_cpus(tmp_path / "missing", tmp_path / "mounted") == 2

    @pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct", "cpuacct,cpu"])
    @pytest.mark.parametrize(
        ("quota", "period", "most"),
        [("250000", "100000", 2), ("-1", "100000", 8), ("4000", "0", 8)],
    )
    def test_groups_of_the_first_version_have_quotas_as_well(
        self, tmp_path: Path, controllers: str, quota: str, period: str, most: int
    ) -> None:
        groups = f"5:memory:/one\n3:{controllers}:/one\n2:cpuset:/one\n0::/one\n"
        files = {
            f"{controllers}/one/cpu.cfs_quota_us": quota,
            f"{controllers}/one/cpu.cfs_period_us": period,
        }

        assert self.cpus(tmp_path, groups, **files) == most

    def test_their_folder_may_be_named_by_the_first_controller(
        self, tmp_path: Path
    ) -> None:
        files = {"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}

        assert self.cpus(tmp_path, "4:cpu,cpuacct:/docker/f00\n", **files) == 3

    def test_without_groups_the_affinity_counts(self, tmp_path: Path) -> None:
        assert usable_cpus(tmp_path / "missing", tmp_path / "missing") == 8


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTVEC_MAX_K", "7")

    assert Settings().max_k == 7


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104 - every address
        ("::", "http://[::1]:8000"),
        ("box.example", "http://box.example:8000"),
    ],
)
def test_a_service_is_reached_where_it_listens(host: str, url: str) -> None:
    assert Settings(host=host).url == url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_k", 0),
        ("max_context", 101),
        ("port", 70_000),
        ("threads", 0),
        ("log_level", "LOUD"),
    ],
)
def test_a_setting_out_of_bounds_names_itself(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings(**{name: value})  # type: ignore[arg-type]


def test_the_default_k_never_exceeds_the_limit(settings: Settings) -> None:
    small = settings.model_copy(update={"max_k": 3})

    with TestClient(create_app(small)) as client:
        answer = client.post("/predict", json={"ids": ["doc1#0"]})

    assert len(answer.json()["neighbors"]) == 3


def test_steps_cover_everything_once_and_grow_while_they_are_short() -> None:
    parts: list[slice] = []

    generator = steps(100, 10.0, parts.append)
    results = None
    pauses = 0
    while results is None:
        try:
            next(generator)
            pauses += 1
        except StopIteration as stop:
            results = stop.value

    covered = [i for part in parts for i in range(part.start, part.stop)]
    assert covered == list(range(100))
    assert [part.stop - part.start for part in parts] == [1, 2, 4, 8, 16, 32, 32, 5]
    assert pauses == len(parts) == len(results)


def test_steps_shrink_to_one_when_they_are_long() -> None:
    sizes: list[int] = []

    for _ in steps(3, 1e-9, lambda part: sizes.append(part.stop - part.start)):
        pass

    assert sizes == [1, 1, 1]
