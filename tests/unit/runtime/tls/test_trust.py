"""The environment for applications, and the verb that prints it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speedscale_runtime.cli.root import main
from speedscale_runtime.tls.authority import Authority
from speedscale_runtime.tls.trust import java_options, merged_java_options, trust_environment

NAMES = {
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "NODE_USE_ENV_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "PGSSLROOTCERT",
    "AWS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
    "DENO_CERT",
    "NIX_SSL_CERT_FILE",
    "JAVA_TOOL_OPTIONS",
}


def test_every_runtime_is_told_and_every_file_is_there(tmp_path: Path) -> None:
    environment = trust_environment(Authority.load_or_create(tmp_path), {"JAVA_TOOL_OPTIONS": "-Xmx1g"})
    assert set(environment) == NAMES
    for name, value in environment.items():
        if name not in ("NODE_USE_ENV_PROXY", "JAVA_TOOL_OPTIONS"):
            assert Path(value).is_file()
    assert environment["JAVA_TOOL_OPTIONS"].startswith("-Xmx1g -Djavax.net.ssl.trustStore=")


def test_node_gets_the_root_alone_unless_it_was_given_roots_already(tmp_path: Path) -> None:
    authority = Authority.load_or_create(tmp_path)
    root, bundle = str(authority.certificate_path), str(authority.bundle_path)
    assert trust_environment(authority)["NODE_EXTRA_CA_CERTS"] == root
    assert trust_environment(authority, {"NODE_EXTRA_CA_CERTS": root})["NODE_EXTRA_CA_CERTS"] == root
    assert trust_environment(authority, {"NODE_EXTRA_CA_CERTS": "/corp.pem"})["NODE_EXTRA_CA_CERTS"] == bundle


@pytest.mark.parametrize(
    ("existing", "kept"),
    [
        ("", ""),
        ("-Xmx1g", "-Xmx1g "),
        ("-Da=b -Djavax.net.ssl.trustStore=/old.jks -Djavax.net.ssl.trustStorePassword=x -Dc=d", "-Da=b -Dc=d "),
        ('-Djavax.net.ssl.trustStore="/old dir/x.jks" -Dc=d', "-Dc=d "),
    ],
)
def test_java_options_of_the_application_are_kept(existing: str, kept: str) -> None:
    ours = java_options("/c/a.jks")
    merged = merged_java_options(existing, ours)
    assert merged == kept + ours
    assert merged_java_options(merged, ours) == merged


def test_path_with_blanks_is_quoted_for_the_jvm() -> None:
    assert '-Djavax.net.ssl.trustStore="/my home/a.jks" ' in java_options("/my home/a.jks")


def test_certs_verb_shows_makes_and_makes_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path)]
    assert main(["certs", *home, "--output", "json", "--jks"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert set(first["environment"]) == NAMES
    assert Path(first["javaTrustStore"]).is_file()
    assert main(["certs", *home]) == 0
    text = capsys.readouterr().out
    assert first["sha256"] in text
    assert f"export SSL_CERT_FILE={first['bundle']}" in text
    assert main(["certs", *home, "--force", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["sha256"] != first["sha256"]
    assert main(["certs", *home, "--export"]) == 0
    assert all(line.startswith("export ") for line in capsys.readouterr().out.splitlines())


def test_certs_verb_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "tls.crt").write_text("junk")
    assert main(["certs", "--home", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "tls.crt" in error
    assert "--force" in error
