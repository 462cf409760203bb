"""The user's own authorities, read from a ConfigMap: what is taken, what is left out and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from speedscale_controller.certificates import Entropy, issuing
from speedscale_controller.certificates.model import CA_LIFE
from speedscale_controller.identity.upstream import MAX_BYTES, named, read
from speedscale_kube import Ref

T0 = datetime(2026, 1, 1, tzinfo=UTC)
ENTROPY = Entropy()
ONE, TWO = (issuing.authority(f"Company {n}", T0, ENTROPY).certificate for n in range(2))


def test_a_name_or_none() -> None:
    assert named("speedscale", {"extraRoots": "company-roots"}) == Ref("v1", "ConfigMap", "speedscale", "company-roots")
    assert named("speedscale", {"extraRoots": ""}) is None
    assert named("speedscale", {}) is None


def test_every_key_is_read_and_each_certificate_taken_once() -> None:
    data = {"b.crt": ONE.decode(), "a.crt": f"# ours\n{TWO.decode()}\n{ONE.decode()}"}
    assert read(data, T0) == ((TWO, ONE), [])
    assert read({}, T0) == ((), [])


def test_what_is_no_certificate_is_left_out_with_its_place() -> None:
    broken = ONE.replace(b"MII", b"!!!", 1).decode()
    found, wrong = read({"a": broken + TWO.decode(), "b": "nothing", "c": ""}, T0)
    assert found == (TWO,)
    assert [one.partition(":")[0] for one in wrong] == [
        "key a, certificate 1",
        "key b has no PEM certificate",
        "key c has no PEM certificate",
    ]


def test_one_that_has_ended_is_left_out() -> None:
    found, (wrong,) = read({"a": ONE.decode()}, T0 + CA_LIFE)
    assert found == ()
    assert "ended on 20" in wrong
    assert read({"a": ONE.decode()}, T0 + CA_LIFE - timedelta(seconds=400))[0] == (ONE,)


def test_there_is_a_bound_and_what_is_beyond_it_is_told() -> None:
    padded = [ONE.decode().replace("\n", "\n" * (1 + n), 1) for n in range(MAX_BYTES // len(ONE) + 5)]
    found, wrong = read({"a": "".join(padded)}, T0)
    assert sum(map(len, found)) <= MAX_BYTES
    assert len(found) + len(wrong) == len(padded)
    assert all("no room" in one for one in wrong)
