"""The load model and the test configs."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.generator import testconfig
from speedscale_runtime.generator.config import from_environ
from speedscale_runtime.generator.load import arrivals, due_count, offered_rate, share, start_offset, stop_offset
from speedscale_runtime.generator.testconfig import Stage
from speedscale_schemas import builtins
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import check, schema


@given(st.floats(0, 500), st.floats(1, 500), st.floats(0.1, 5), st.floats(0, 5))
def test_arrivals_rise_and_are_as_many_as_asked(previous: float, rate: float, duration: float, ramp: float) -> None:
    stage = Stage(1, rate=rate, duration_s=duration, ramp_s=min(ramp, duration))
    due = list(arrivals(stage, previous))
    assert all(a <= b for a, b in itertools.pairwise(due))
    assert all(0 <= at < duration for at in due)
    assert abs(len(due) - due_count(stage, previous)) <= 1.5


def test_a_ramp_is_even() -> None:
    due = list(arrivals(Stage(1, rate=100, duration_s=10, ramp_s=10), 0))
    assert [sum(n <= at < n + 1 for at in due) for n in range(10)] == pytest.approx(
        [5, 15, 25, 35, 45, 55, 65, 75, 85, 95], abs=1
    )


def test_offered_rate_is_the_mean_over_the_open_stages() -> None:
    stages = [Stage(1, duration_s=5), Stage(1, rate=100, duration_s=10), Stage(1, rate=50, duration_s=10, ramp_s=10)]
    assert offered_rate(stages) == pytest.approx((1000 + 750) / 20)
    assert offered_rate([Stage(1)]) is None


def test_vusers_start_and_stop_along_the_ramp() -> None:
    up = Stage(10, ramp_s=5, duration_s=10)
    assert [start_offset(up, 0, n) for n in (0, 5, 9)] == [0.0, 2.5, 4.5]
    assert start_offset(up, 6, 3) == 0.0
    down = Stage(0, ramp_s=4, duration_s=10)
    assert [stop_offset(down, 4, n) for n in (3, 0)] == [1.0, 4.0]


@given(st.integers(0, 500), st.integers(1, 16))
def test_every_vuser_belongs_to_one_process(vusers: int, processes: int) -> None:
    owned = [n for p in range(processes) for n in share(vusers, processes, p)]
    assert sorted(owned) == list(range(vusers))


@pytest.mark.parametrize("name", builtins.names("test-config"))
def test_built_in_configs_are_valid(name: str, tmp_path: Path) -> None:
    document = testconfig.load(name, tmp_path)
    assert check("test-config", document) == []
    assert (document["id"], document["protected"]) == (name, True)
    if document.get("cluster", {}).get("replayMode") == "responder-only":
        with pytest.raises(ConfigError, match="sends no tests"):
            testconfig.read(document, name)
    else:
        assert testconfig.read(document, name).id == name


def test_the_vendors_ids_are_there() -> None:
    assert set(builtins.names("test-config")) >= {
        "standard", "regression", "standard-passthrough", "responder-passthrough", "performance_100replicas",
        "performance_500replicas", "mocks-only",
    }  # fmt: skip


def test_standard_is_one_vuser_at_the_recorded_pace(tmp_path: Path) -> None:
    read = testconfig.read(testconfig.load("standard", tmp_path))
    assert read.stages == (Stage(1, iterations=1, pace=1.0),)
    assert read.smart_replace
    assert not read.low_data
    types = [c["type"] for g in read.document["assertionGroups"] for c in g["configs"]]
    assert types == ["httpStatusCode", "httpResponseBody"]


def test_the_schemas_examples_are_read() -> None:
    first, second = (testconfig.read(example) for example in schema("test-config")["examples"])
    assert first.stages == (Stage(100, rate=200.0, duration_s=120.0, ramp_s=30.0, iterations=0, pace=0.0, max_lag_s=2),)
    assert second.stages == (Stage(1, duration_s=300.0, ramp_s=10.0, iterations=2, pace=0.5),)
    assert (first.seed, first.timeout_s, first.processes) == (7, 10.0, 2)


def test_configs_come_from_files_and_home(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "testconfigs"
    folder.mkdir(parents=True)
    (folder / "mine.json").write_text(json.dumps({"id": "mine"}))
    assert testconfig.load("mine", tmp_path)["id"] == "mine"
    assert testconfig.load(str(folder / "mine.json"), Path("/nonexistent"))["id"] == "mine"
    with pytest.raises(ConfigError, match="did you mean 'standard'"):
        testconfig.load("standart", tmp_path)
    (folder / "broken.json").write_text("{")
    with pytest.raises(ConfigError, match="expected JSON"):
        testconfig.load("broken", tmp_path)
    (folder / "list.json").write_text("[]")
    with pytest.raises(ConfigError, match="expected a JSON object"):
        testconfig.load("list", tmp_path)


BAD = [
    ({"id": "x", "generator": {"stage": []}}, "did you mean 'stages'?"),
    ({"id": "x", "generator": {"stages": [{"virtualUsers": {"rampTime": "2m", "duration": "1m"}}]}}, "longer than the duration"),  # noqa: E501
    ({"id": "x", "generator": {"stages": [{"virtualUsers": {"iterations": 0}}]}}, "never ends"),
    ({"id": "x", "generator": {"stages": [{"requestsPerSecond": {"requestsPerSecond": 0}}]}}, "requestsPerSecond"),
    ({"id": "x", "assertionGroups": [{"configs": [{"type": "httpStatus"}]}]}, "did you mean"),
    ({"generator": {}}, "'id'"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "message"), BAD)
def test_wrong_configs_are_refused(document: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        testconfig.read(document)
    assert message in str(error.value)


def test_settings_from_the_environment() -> None:
    settings = from_environ(
        {"SNAPSHOT_ID": "s", "CUSTOM_URL": "http://a, api=:1", "TIMEOUT": "1m30s", "LOW_DATA": "true"}
    )
    assert settings.custom_urls == ("http://a", "api=:1")
    assert settings.timeout_s == 90
    assert settings.low_data is True
    assert settings.rewrite_host is None
    with pytest.raises(ConfigError, match="SNAPSHOT_ID"):
        from_environ({})
    with pytest.raises(ConfigError, match="TIMEOUT"):
        from_environ({"SNAPSHOT_ID": "s", "TIMEOUT": "soon"})
    with pytest.raises(ConfigError, match="did you mean 'SNAPSHOT_DIR'"):
        from_environ({"SNAPSHOT_ID": "s", "SNAPSHOT_DIRR": "s"})


def test_the_examples_of_the_results_schema_are_valid() -> None:
    for example in schema("result-line")["examples"]:
        assert check("result-line", example) == []
