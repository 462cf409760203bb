"""Exporters against real servers: a Collector, an S3 server, a Kafka broker, an AWS emulator; files as others read."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas
import pyarrow.dataset
import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
sys.path.insert(0, str(Path(__file__).parent))
import export_servers as servers
import kafka_server
from destinations import KINDS, arrived, entry, environment, port_of, self_signed, settings, uuids
from faults import Relay

pytestmark = pytest.mark.integration


@pytest.mark.exporter_faults("http grpc s3 firehose kafka backend", "down")
@pytest.mark.parametrize("kind", KINDS)
def test_everything_arrives_once_also_after_an_outage(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], start: Callable[..., servers.Server], kind: str
) -> None:
    server = start(kind)
    port = port_of(kind, server)
    exporters = {"x": entry(kind, port, filter_rule="standard", timeout_s=5)}
    f = forwarder(**settings(exporters, **environment(kind, port)))
    assert f.post(batch(*range(1200)) + batch(5000, agent="kube-probe/1.29"), 1).status_code == 200
    f.until(lambda: arrived(f))
    f.until(lambda: sorted(set(server.uuids())) == uuids(*range(1200)))  # a Collector writes a moment later
    found = server.uuids()
    if kind != "kafka":  # a broker that is slow to make the topic is sent to again: doubles have the same uuid
        assert len(found) == 1200
    if kind == "firehose":  # what an emulator held is gone with it
        return
    server.stop()
    assert f.post(batch(*range(1200, 1300)), 2).status_code == 200
    f.until(lambda: f.status()["exporters"]["x"]["errors"] > 0)
    server.start()
    f.until(lambda: arrived(f))
    f.until(lambda: set(server.uuids()) == set(uuids(*range(1300))))
    status = f.status()["exporters"]["x"]
    assert (status["exported"], status["lost"], status["rejected"]) == (1300, 0, 0)


@pytest.mark.exporter_faults("http grpc s3 firehose kafka backend", "cut garbage down slow")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["cut", "garbage", "down", "slow"])
def test_what_a_network_does_loses_nothing(
    forwarder: Callable[..., Any],
    batch: Callable[..., bytes],
    start: Callable[..., servers.Server],
    kind: str,
    fault: str,
) -> None:
    relays: list[Relay] = []

    def in_front(server: servers.Server) -> None:
        relays.append(Relay(port_of(kind, server)))
        if isinstance(server, kafka_server.Kafka):
            server.advertised = relays[0].port

    server = start(kind, in_front)
    (relay,) = relays
    try:
        f = forwarder(**settings({"x": entry(kind, relay.port, timeout_s=5)}, **environment(kind, relay.port)))
        f.post(batch(*range(100)), 1)
        f.until(lambda: arrived(f))
        relay.become(fault)
        f.post(batch(*range(100, 400), response=b"r" * 400), 2)
        if fault == "slow":
            f.until(lambda: relay.seen["slow"] > 0 or arrived(f))
        else:
            f.until(lambda: f.status()["exporters"]["x"]["errors"] > 0)
        assert f.post(batch(400), 3).status_code == 200  # senders do not notice
        relay.become("pass")
        f.until(lambda: arrived(f))
        f.until(lambda: set(server.uuids()) == set(uuids(*range(401))))  # at least once; the uuid tells duplicates
        assert f.status()["exporters"]["x"]["rejected"] == 0
    finally:
        relay.stop()


def test_a_record_of_each_kind_is_what_the_format_says(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], start: Callable[..., servers.Server]
) -> None:
    collector, s3 = start("http"), start("s3")
    assert isinstance(collector, servers.Collector)
    assert isinstance(s3, servers.S3Server)
    exporters = {
        "g": entry("grpc", collector.grpc_port, compression="gzip", max_record_bytes=20_000),
        "s": entry("s3", s3.port, prefix="mine/byoc"),
    }
    f = forwarder(**settings(exporters))
    f.post(batch(1, response=b'{"a": 1}') + batch(2, response=b"x" * 50_000), 1)
    f.until(lambda: arrived(f, "g") and arrived(f, "s"))
    f.until(lambda: len(collector.uuids()) == 2)
    first, second = collector.records()
    body = servers.plain(first["body"])
    assert (body["location"], body["cluster"], body["http"]["res"]["body"]) == ("/orders/1", "west", '{"a": 1}')
    attributes = {kv["key"]: servers.plain(kv["value"]) for kv in second["attributes"]}
    assert attributes == {"service": "shop", "namespace": "default", "speedscale.body.truncated": True}
    assert servers.plain(second["body"])["tags"] == {"responsePayloadTruncated": "50000"}
    assert f.status()["exporters"]["g"]["cut"] == 1

    client = servers.client("s3", s3.url)
    keys = [e["Key"] for e in client.list_objects_v2(Bucket=servers.BUCKET)["Contents"]]
    (data,) = [k for k in keys if k.endswith(".json.gz")]
    assert data.startswith("mine/byoc/year=2026/month=01/day=02/hour=03/minute=04/namespace=default/app=shop/rrpairs_")
    manifest = json.loads(client.get_object(Bucket=servers.BUCKET, Key="_speedscale/byoc-layout.json")["Body"].read())
    assert manifest["version"] == "speedscale-byoc-v2"
    assert manifest["format"] == "otel_s3"
    assert manifest["basePrefix"] == "mine/byoc"
    assert manifest["workloads"] == [{"namespace": "default", "app": "shop"}]
    (document,) = servers.objects(s3.url)
    whole = [servers.plain(r["body"]) for r in servers.log_records(document)]
    assert [len(w["http"]["res"]["body"]) for w in whole] == [8, 50_000]  # whole where there is room


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_tls_is_verified_by_a_ca_of_ones_own(
    forwarder: Callable[..., Any],
    batch: Callable[..., bytes],
    start: Callable[..., servers.Server],
    tmp_path: Path,
    protocol: str,
) -> None:
    certificate, key = self_signed(tmp_path)

    def with_tls(server: servers.Collector) -> None:
        server.tls = (certificate, key)

    server = start(protocol, with_tls)
    url = server.http if protocol == "http" else server.grpc  # type: ignore[attr-defined]
    ca = tmp_path / "ca.crt"
    ca.write_bytes(b"")
    f = forwarder(**settings({"x": {"otel_endpoint": url, "protocol": protocol, "ca_file": str(ca), "timeout_s": 5}}))
    f.post(batch(1), 1)
    f.until(lambda: f.status()["exporters"]["x"]["errors"] > 0)
    assert server.uuids() == []
    ca.write_bytes(certificate.read_bytes())  # it comes late
    f.until(lambda: arrived(f))
    f.until(lambda: server.uuids() == uuids(1))


def test_parquet_is_read_by_duckdb_pandas_and_as_partitions_of_spark(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], tmp_path: Path
) -> None:
    out = tmp_path / "lake"
    exporters = {"x": {"type": "parquet", "path": str(out), "linger_s": 0}}
    f = forwarder(**settings(exporters, SPOOL_SEGMENT_BYTES="20000"))
    for sequence in range(30):  # more hand-overs than files of a partition are left alone
        f.post(batch(*range(sequence * 10, sequence * 10 + 10), response=b'{"a": 1}'), sequence)
        f.until(lambda: arrived(f))
    f.kill()
    f.start()
    f.post(batch(*range(300, 310)), 100)
    f.end()
    wanted = uuids(*range(310))
    assert {p.relative_to(out).parts[:2] for p in out.rglob("*.parquet")} == {("date=2026-01-02", "hour=03")}
    assert len(list(out.rglob("*.parquet"))) < 31
    rows = duckdb.sql(f"SELECT uuid FROM read_parquet('{out}/**/*.parquet', hive_partitioning = true)").fetchall()
    assert sorted(row[0] for row in rows) == wanted
    frame = pandas.read_parquet(out)
    assert sorted(frame["uuid"]) == wanted
    assert frame["ts"].min() == pandas.Timestamp("2026-01-02T03:04:00Z")
    assert Counter(frame["service"]) == {"shop": 310}
    record = json.loads(frame.sort_values("ts_ns")["record"].iloc[0])
    assert (record["http"]["res"]["body"], record["cluster"]) == ('{"a": 1}', "west")
    partitions = pyarrow.dataset.dataset(out, partitioning="hive")
    assert partitions.to_table(filter=pyarrow.dataset.field("hour") == 3).num_rows == 310
    assert partitions.to_table(filter=pyarrow.dataset.field("hour") == 4).num_rows == 0
