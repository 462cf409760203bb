"""The webhook CA's rotation, against a world that lags and a controller that is killed between any two writes."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from speedscale_controller.certificates import Entropy, Reason, issuing, rotation
from speedscale_controller.certificates.model import CA_LIFE, LEAF_LIFE
from speedscale_controller.certificates.names import Certificate
from speedscale_controller.certificates.policies import renewal, signer
from speedscale_controller.certificates.rotation import SETTLE, Consumer, Publish, Published, Rest, Seen, State, Write
from speedscale_schemas import truststore, x509

T0 = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("speedscale-operator.speedscale.svc",)
_KEYS = [x509.new_key() for _ in range(40)]


def entropy() -> Entropy:
    """Keys are taken in turn: making one costs more than all else here."""
    turn = iter(range(10**9))
    return Entropy(key=lambda: _KEYS[next(turn) % len(_KEYS)], random=lambda n: next(turn).to_bytes(n, "big"))


@functools.lru_cache(maxsize=4096)
def accepts(bundle: bytes, leaf: bytes) -> bool:
    """Say whether a client that trusts a bundle takes a leaf; no CA here ends before its leaves."""
    return signer(leaf, truststore.split_pem(bundle)) is not None


@functools.lru_cache(maxsize=4096)
def _end(leaf: bytes) -> datetime:
    return x509.summary(leaf).not_after


@dataclass
class World:
    """The Secret, three configurations, what API servers have seen of them, what replicas show."""

    now: datetime = T0
    state: State = field(default_factory=State)
    bundles: list[bytes] = field(default_factory=lambda: [b"", b"", b""])
    writable: bool = True
    views: list[bytes] = field(default_factory=lambda: [b"", b"", b""])
    replicas: list[bytes] = field(default_factory=lambda: [b"", b""])
    reachable: bool = True
    entropy: Entropy = field(default_factory=entropy)
    writes: list[object] = field(default_factory=list)
    since: list[datetime] = field(default_factory=lambda: [T0, T0, T0])

    def seen(self) -> Seen:
        shown = tuple(self.replicas) if self.reachable and all(self.replicas) else None
        return Seen(tuple(Consumer(b, self.writable) for b in self.bundles), shown)

    @classmethod
    def of(cls, other: World) -> World:
        """Return a copy that can be changed."""
        copies = {name: list(getattr(other, name)) for name in ("bundles", "views", "replicas", "since")}
        return replace(other, **copies, writes=[], entropy=entropy())

    def change(self, cause: str) -> None:
        """Delete the Secret, or let the CA become due while its leaf is a fresh one."""
        if cause == "delete" or not self.state.authority:
            self.state = State()
            return
        due = renewal(self.state.authority.certificate)
        calm = {self.state.authority.certificate} == {*self.bundles, *self.views, self.state.bundle}
        if due > self.now and calm:
            self.now = due
            self.state = replace(self.state, leaf=issuing.leaf(self.state.authority, NAMES, due, self.entropy))
            self.replicas = [self.state.leaf.certificate] * 2
            self.pass_time(60)

    def next(self) -> rotation.Step:
        return rotation.step(self.state, self.seen(), self.now, NAMES, self.entropy)

    def one(self, part: int = 3) -> rotation.Step:
        """Carry out one step; of a publication, only the first `part` configurations, then the controller dies."""
        step = self.next()
        if isinstance(step, Write):
            self.state = step.state
        elif isinstance(step, Publish):
            for number in range(part):
                if self.bundles[number] != step.bundle:
                    self.since[number] = self.now
                self.bundles[number] = step.bundle
        if not isinstance(step, Rest):
            self.writes.append(step)
        return step

    def run(self) -> None:
        for _ in range(20):
            if isinstance(self.one(), Rest):
                return
        raise AssertionError("does not come to rest")

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        for number, bundle in enumerate(self.bundles):
            if self.now >= self.since[number] + SETTLE:
                self.views[number] = bundle

    def reload(self, replica: int) -> None:
        if self.state.leaf:
            self.replicas[replica] = self.state.leaf.certificate

    def broken(self) -> list[str]:
        """Return which API server would refuse which replica, of those that trust anything and show what is valid."""
        pairs = ((bundle, leaf) for bundle in {*self.views, *self.bundles} for leaf in set(self.replicas))
        valid = ((bundle, leaf) for bundle, leaf in pairs if bundle and leaf and _end(leaf) > self.now)
        return [x509.summary(leaf).issuer for bundle, leaf in valid if not accepts(bundle, leaf)]


def installed() -> World:
    world = World()
    world.run()
    world.pass_time(60)
    world.reload(0)
    world.reload(1)
    world.run()
    world.writes.clear()
    return world


INSTALLED = installed()


def test_a_first_installation_is_there_at_once() -> None:
    world = World()
    world.run()
    assert world.state.leaf
    assert world.bundles == [world.state.authority.certificate] * 3
    assert x509.check(world.state.leaf.certificate, T0, names=NAMES, issuer=world.state.authority.certificate) == []


def test_a_second_look_writes_nothing() -> None:
    world = installed()
    rest = world.next()
    assert isinstance(rest, Rest)
    assert world.now < rest.until <= world.now + timedelta(hours=1)
    assert world.writes == []


def test_the_leaf_is_renewed_at_two_thirds() -> None:
    world = installed()
    before = world.state.leaf
    world.now = renewal(before.certificate) - timedelta(seconds=1)
    world.run()
    assert world.state.leaf == before
    world.now += timedelta(seconds=1)
    world.run()
    assert world.state.leaf != before
    assert len(world.writes) == 1
    assert world.writes[0].finding.reason is Reason.DUE  # type: ignore[attr-defined]


def test_the_order_of_a_new_authority() -> None:
    world = installed()
    old = world.state.authority
    world.now = renewal(old.certificate)
    world.state = replace(world.state, leaf=issuing.leaf(old, NAMES, world.now, world.entropy))
    world.replicas = [world.state.leaf.certificate] * 2
    first = world.one()
    assert isinstance(first, Write)
    assert first.certificate is Certificate.WEBHOOK_CA
    assert [p in world.state.bundle for p in (old.certificate, world.state.authority.certificate)] == [True, True]
    assert isinstance(world.one(), Publish)
    assert isinstance(world.one(), Write)
    assert world.state.published is not None
    waits = world.one()
    assert isinstance(waits, Rest)
    assert waits.until == world.now + SETTLE
    assert signer(world.state.leaf.certificate, [old.certificate]) is not None
    world.pass_time(SETTLE.total_seconds())
    moved = world.one()
    assert isinstance(moved, Write)
    assert moved.certificate is Certificate.WEBHOOK
    assert signer(world.state.leaf.certificate, [world.state.authority.certificate]) is not None
    assert isinstance(world.one(), Rest)  # replicas still show the old one
    world.reload(0)
    world.pass_time(60)
    assert isinstance(world.one(), Rest)
    world.reload(1)
    dropped = world.one()
    assert isinstance(dropped, Write)
    assert dropped.state.bundle == world.state.authority.certificate
    world.run()
    assert world.bundles == [world.state.authority.certificate] * 3
    assert not world.broken()


def test_replicas_that_cannot_be_asked_keep_the_old_authority_until_its_last_leaf_ended() -> None:
    world = installed()
    world.reachable = False
    world.now = renewal(world.state.authority.certificate)
    world.run()
    world.pass_time(SETTLE.total_seconds())
    world.run()
    noted = world.state.published
    assert noted is not None
    end = noted.at + LEAF_LIFE + SETTLE
    while world.now < end:
        assert len(truststore.split_pem(world.state.bundle)) == 2
        assert isinstance(world.next(), Rest)
        world.pass_time(min(40_000.0, (end - world.now).total_seconds()))
        if world.now < end:
            world.run()
    world.run()
    assert len(truststore.split_pem(world.state.bundle)) == 1


def test_a_deleted_secret_is_made_again_without_a_gap() -> None:
    world = installed()
    world.state = State()
    world.run()
    assert not world.state.leaf
    assert len(truststore.split_pem(world.bundles[0])) == 2
    world.pass_time(SETTLE.total_seconds())
    world.run()
    world.reload(0)
    assert world.state.leaf
    assert not world.broken()


def test_an_overwritten_bundle_is_mended() -> None:
    world = installed()
    world.bundles[1] = issuing.authority("Somebody else's", T0, world.entropy).certificate
    world.run()
    assert world.bundles[1] == world.state.authority.certificate
    assert [type(step) for step in world.writes] == [Publish]


def test_a_bundle_that_lost_the_old_authority_gets_it_back() -> None:
    world = installed()
    world.now = renewal(world.state.authority.certificate)
    world.state = replace(world.state, leaf=issuing.leaf(world.state.authority, NAMES, world.now, world.entropy))
    world.one()
    world.one()
    old = world.state.bundle
    world.state = replace(world.state, bundle=world.state.authority.certificate)
    world.run()
    assert world.state.bundle == old


def test_without_the_right_to_publish_a_good_authority_stays_and_an_ended_one_does_not() -> None:
    world = installed()
    world.writable = False
    before = world.state.authority
    world.now = renewal(before.certificate)
    world.state = replace(world.state, leaf=issuing.leaf(before, NAMES, world.now, world.entropy))
    world.run()
    assert world.state.authority == before
    world.now = T0 + CA_LIFE
    world.run()
    assert world.state.authority != before
    assert world.state.leaf


@pytest.mark.parametrize("text", ["", "x", "abc nowhen", " ", "abc 2026-13-01"])
def test_a_note_that_makes_no_sense_is_none(text: str) -> None:
    assert Published.read(text) is None


def test_a_note_reads_back() -> None:
    note = Published("0123", T0)
    assert Published.read(str(note)) == note


def test_a_note_from_a_clock_that_was_ahead_is_written_anew() -> None:
    world = installed()
    note = world.state.published
    assert note is not None
    world.state = replace(world.state, published=replace(note, at=world.now + timedelta(days=400)))
    world.run()
    assert world.state.published is not None
    assert world.state.published.at == world.now


_ROUND = st.tuples(
    st.integers(0, 4),  # steps before the controller is killed
    st.integers(0, 3),  # of a publication that is among them, how many configurations were written
    st.sampled_from([1, 29, 31, 3600, 20_000]),  # seconds until it runs again; in all less than a leaf's life
    st.sets(st.integers(0, 1)),  # replicas that took the Secret meanwhile
    st.booleans(),  # whether replicas can be asked
)
NO_SHRINKING = [Phase.explicit, Phase.reuse, Phase.generate]  # a run is slow, and a failure short enough
_CAUSES = st.lists(st.sampled_from(["age", "delete"]), min_size=1, max_size=2)


@settings(max_examples=10, deadline=None, phases=NO_SHRINKING)
@given(st.lists(st.tuples(_CAUSES, st.lists(_ROUND, min_size=1, max_size=8)), min_size=1, max_size=2))
def test_no_client_with_a_published_bundle_rejects_a_served_leaf(
    lives: list[tuple[list[str], list[tuple[int, int, int, set[int], bool]]]],
) -> None:
    world = World.of(INSTALLED)
    for causes, rounds in lives:
        for cause in causes:
            world.change(cause)
        for steps, part, seconds, reloads, reachable in rounds:
            world.reachable = reachable
            for _ in range(steps):
                world.one(part)
                assert not world.broken()
            for replica in reloads:
                world.reload(replica)
                assert not world.broken()
            world.pass_time(seconds)
            assert not world.broken()
    world.reachable = True
    for _ in range(4):
        world.run()
        world.reload(0)
        world.reload(1)
        assert not world.broken()
        world.pass_time(61)
    assert world.bundles == [world.state.bundle] * 3
    assert isinstance(world.next(), Rest)
    assert world.state.bundle == world.state.authority.certificate
    assert world.replicas[0] == world.state.leaf.certificate
