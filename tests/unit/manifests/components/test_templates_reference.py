"""The page on templates says what the components do."""

from __future__ import annotations

from pathlib import Path

from speedscale_manifests.components import templates_reference
from speedscale_manifests.objects import names
from speedscale_manifests.values import from_mapping
from speedscale_schemas.templates import GAPS

ROOT = Path(__file__).parents[4]


def test_it_is_current() -> None:
    assert (ROOT / "docs" / "templates.md").read_text("utf-8") == templates_reference.page(), "run `make gen`"


def test_every_gap_is_used_by_somebody_and_described() -> None:
    rows = [line.split(" | ") for line in templates_reference.page().splitlines() if line.startswith("| `")]
    listed = {row[0].strip("|` "): row for row in rows}
    assert set(GAPS) <= set(listed)
    assert all(listed[name][2].strip() for name in GAPS)


def test_every_secret_that_a_pod_uses_is_explained() -> None:
    values = from_mapping({})
    used = {secret for secret, _, _ in templates_reference._uses()}
    explained = set(names.own_secrets(values))
    # what a workload brings itself, and what a transform asks for
    assert used - explained == {"checkout-tls", "login"}
    page = templates_reference.page()
    assert all(f"| `{name}` |" in page for name in used & explained)


def test_who_waits_and_who_does_without() -> None:
    uses = set(templates_reference._uses())
    assert ("speedscale-certs", "sidecar", True) in uses
    assert ("speedscale-certs", "sidecar", False) not in uses
    assert ("speedscale-forwarder-certs", "forwarder", False) in uses
    assert ("speedscale-dlp-key", "responder", False) in uses
    assert ("speedscale-apikey", "inspector", True) in uses
