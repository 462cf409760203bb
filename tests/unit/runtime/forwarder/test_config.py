"""The forwarder's settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speedscale_runtime.forwarder import config
from speedscale_runtime.forwarder.exporter_specs import ExporterSpec, Files, Otlp
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import check, schema


def exporter(**spec: object) -> ExporterSpec:
    (one,) = config.parse({"EXPORTERS": json.dumps({"x": spec}), "TOKEN": "t"}).exporters
    return one


def otlp(**spec: object) -> Otlp:
    options = exporter(**spec).options
    assert isinstance(options, Otlp)
    return options


def test_defaults_redact_filter_and_record() -> None:
    settings = config.parse({"SPEEDSCALE_HOME": "/h"})
    assert (settings.filter_rule, settings.dlp_config) == ("standard", "standard")
    assert (settings.host, settings.port) == ("127.0.0.1", 8888)
    assert settings.spool_dir == Path("/h/spool")
    assert settings.exporter_max_lag_bytes == settings.spool_max_bytes // 2
    (one,) = settings.exporters
    assert (one.name, one.kind) == ("recording", "files")
    assert one.options == Files(Path("/h/data/recordings/forwarder"), "markdown", 500)


def test_redaction_is_turned_off_by_name_only() -> None:
    assert config.parse({"WITH_DLP": "false"}).dlp_config == ""
    with pytest.raises(ConfigError, match="SPEEDSCALE_DLP_CONFIG"):
        config.parse({"SPEEDSCALE_DLP_CONFIG": ""})
    with pytest.raises(ConfigError, match="true or false"):
        config.parse({"WITH_DLP": "flase"})


def test_exporters_as_the_vendor_writes_them() -> None:
    one = exporter(otel_endpoint="http://otelcol:4318", filter_rule="standard", dlp_config_id="")
    assert (one.kind, one.filter_rule) == ("otlp", "standard")
    assert otlp(otel_endpoint="http://otelcol:4318").endpoint == "http://otelcol:4318/v1/logs"
    assert otlp(otel_endpoint="https://c/otlp/v1/logs").endpoint == "https://c/otlp/v1/logs"
    assert otlp(otel_endpoint="http://c", headers={"A": "Bearer ${TOKEN}"}).headers == (("A", "Bearer t"),)


def test_port_4317_is_grpc_unless_one_says_otherwise() -> None:
    assert otlp(otel_endpoint="http://c:4317") == otlp(otel_endpoint="http://c:4317", protocol="grpc")
    assert (otlp(otel_endpoint="http://c:4317").protocol, otlp(otel_endpoint="http://c:4318").protocol) == (
        "grpc",
        "http",
    )
    assert otlp(otel_endpoint="http://c:4317", protocol="http").endpoint == "http://c:4317/v1/logs"
    assert otlp(otel_endpoint="https://c:9000", protocol="grpc").endpoint == "https://c:9000"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"EXPORTERS": '{"x": {"otel_endpoint": "otelcol:4318"}}'}, ["expected a URL"]),
        ({"EXPORTERS": '{"x": {"type": "otlp"}}'}, ["expected a URL"]),
        ({"EXPORTERS": '{"x": {"otel_endpoint": "http://c:port"}}'}, ["EXPORTERS.x"]),
        ({"EXPORTERS": '{"x": {"otel_endpont": "http://c"}}'}, ["did you mean 'otel_endpoint'"]),
        ({"EXPORTERS": '{"../x": {}}'}, ["../x"]),
        ({"EXPORTERS": '{"x": {"type": "gcs"}}'}, ["expected one of files, parquet, otlp"]),
        ({"EXPORTERS": '{"x": {"type": "s3"}}'}, ["EXPORTERS.x.bucket: missing"]),
        ({"EXPORTERS": '{"x": {"type": "kafka", "bucket": "b"}}'}, ["x.bucket: means nothing to type kafka", "to s3"]),
        ({"EXPORTERS": '{"x": {"type": "kafka", "brokers": ["k"]}}'}, ["EXPORTERS.x"]),
        ({"EXPORTERS": '{"x": {"type": "kafka", "sasl_path": "/s"}}'}, ["set both or none"]),
        ({"EXPORTERS": '{"x": {"type": "firehose", "max_record_bytes": 1024001}}'}, ["at most 1024000"]),
        ({"EXPORTERS": '{"x": {"headers": {"A": "${NO}"}, "otel_endpoint": "http://c"}}'}, ["'NO' is not set"]),
        ({"EXPORTERS": "{"}, ["EXPORTERS", "JSON"]),
        ({"FORWARDER_PORT": "99999"}, ["FORWARDER_PORT"]),
        ({"FORWARDER_HOST": "localhost"}, ["expected an IP address"]),
        ({"FORWARDER_TLS_CERT_FILE": "/nowhere"}, ["set both or none", "cannot be read"]),
        ({"SPOOL_MAX_BYTES": "70000", "SPOOL_SEGMENT_BYTES": "40000"}, ["at least two segments"]),
        ({"SPOOL_MAX_BYTE": "1"}, ["did you mean 'SPOOL_MAX_BYTES'"]),
    ],
)
def test_wrong_settings_are_named(environ: dict[str, str], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(environ)
    for word in words:
        assert word in str(caught.value)


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse({"FORWARDER_HOST": "x", "FORWARDER_TLS_KEY_FILE": "/nowhere"})
    assert len(caught.value.problems) == 3


def test_the_schemas_examples_are_valid() -> None:
    for kind in ("settings/forwarder", "filter-rule"):
        for name, prop in schema(kind)["properties"].items():
            assert prop.get("description") or prop.get("$ref"), name
            for example in prop.get("examples", []):
                base = {} if kind.startswith("settings") else {"query": "x"}
                assert not check(kind, base | {name: example}), name


def test_headers_come_from_a_mounted_secret(tmp_path: Path) -> None:
    (tmp_path / "Authorization").write_text("Bearer secret\n")
    (tmp_path / "x-tenant").write_text("shop")
    (tmp_path / "..data").mkdir()
    (tmp_path / ".hidden").write_text("no header")
    one = otlp(otel_endpoint="http://c", headers={"A": "b"}, headers_path=str(tmp_path))
    assert one.headers == (("A", "b"), ("Authorization", "Bearer secret"), ("x-tenant", "shop"))


@pytest.mark.parametrize(("name", "value"), [("Bad Name", "x"), ("Authorization", "Bearer top\nsecret")])
def test_what_is_no_header_is_refused_without_showing_it(tmp_path: Path, name: str, value: str) -> None:
    (tmp_path / name).write_text(value)
    with pytest.raises(ConfigError, match="is no header") as caught:
        exporter(otel_endpoint="http://c", headers_path=str(tmp_path))
    assert "secret" not in str(caught.value)


def test_headers_that_are_not_mounted_are_refused() -> None:
    with pytest.raises(ConfigError, match="is it mounted"):
        exporter(otel_endpoint="http://c", headers_path="/nowhere/at/all")
