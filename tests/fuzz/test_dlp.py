"""Mutated frames: nothing crashes, nothing planted and still intact is left, redacting twice changes nothing."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedscale_runtime.demo.leaks import find_leaks
from speedscale_runtime.dlp import KeyRing, Redactor, builtin, compile_rule
from speedscale_schemas.frames import Frame

_MUTANTS = 3000
_KINDS = (
    "",
    "application/json",
    "text/xml",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "text/event-stream",
    "image/png",
)
_INSERTS = (b'"', b"\\", b"%", b"&#", b"{", b"]", b"\x00", b"\\u00", b"=", b"<", b"REDACTED-", b"\x1f\x8b\x08")


@pytest.fixture(scope="module")
def traffic() -> ModuleType:
    path = Path(__file__).parents[1] / "corpus" / "traffic.py"
    spec = importlib.util.spec_from_file_location("corpus_traffic_fuzz", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def standard() -> Redactor:
    return compile_rule(builtin("standard"), KeyRing({"k": b"z" * 32}))


def _mutated(rng: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(out) + 1)
        move = rng.randrange(5)
        if move == 0 and out:
            out[at % len(out)] ^= 1 << rng.randrange(8)
        elif move == 1:
            out[at:at] = rng.choice(_INSERTS)
        elif move == 2:
            del out[at : at + rng.randrange(1, 20)]
        elif move == 3:
            out[at:at] = out[at : at + rng.randrange(1, 40)]
        else:
            del out[rng.randrange(len(out) + 1) :]
    return bytes(out)


def test_mutants_neither_crash_nor_change_when_redacted_twice(standard: Redactor, traffic: ModuleType) -> None:
    rng = random.Random(20)
    samples = list(traffic.samples(5, 60))
    for i in range(_MUTANTS):
        sample = samples[i % len(samples)]
        mutant = sample.frame._replace(response_body=_mutated(rng, sample.frame.response_body))
        once = standard.redact_frame(mutant).frame
        json.loads(once.head)
        again = standard.redact_frame(once)
        assert not again.modified, (i, sample.name, again.findings)


def test_distinctive_values_never_survive_mutation_around_them(standard: Redactor, traffic: ModuleType) -> None:
    rng = random.Random(21)
    for i in range(400):
        v = traffic.Values(random.Random(i))
        value = rng.choice((v.card, v.email, v.secret, v.ssn))()
        noise = [bytes(rng.choice(b' ,;:"{}[]<>()=\t\n') for _ in range(3)) for _ in range(2)]
        body = _mutated(rng, noise[0] * 3) + b" " + value.encode() + b" " + _mutated(rng, noise[1] * 3)
        out, _ = standard.redact_text(body)
        assert find_leaks(out, [value]) == [], (i, body)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=400), st.sampled_from(_KINDS))
def test_any_bytes(standard: Redactor, data: bytes, kind: str) -> None:
    out, _ = standard.redact_text(data, kind)
    assert standard.redact_text(out, kind)[0] == out


_values = st.sampled_from(["ada@example.com", "4111111111111111", "123-45-6789", "+14155552671", "Bearer abc123def456",
                           "x", "", "a\\b", "%41%42", "203.0.113.7", "REDACTED-EMAIL-" + "0" * 20])  # fmt: skip
_keys = st.sampled_from(["email", "password", "name", "token", "a", "card", "value", "ssn", "phone", "key", "x\u0000"])
_documents = st.recursive(
    st.none() | st.booleans() | st.integers(0, 10**16) | _values,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(_documents, st.booleans(), st.integers(0, 2))
def test_json_stays_json_of_the_same_shape(
    standard: Redactor, document: object, ascii_only: bool, nesting: int
) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only)
    for _ in range(nesting):
        text = json.dumps({"inner": text})
    frame = Frame(b'{"http":{"res":{"headers":{"Content-Type":["application/json"]}}}}', b"", text.encode())
    out = standard.redact_frame(frame).frame
    assert _shape(json.loads(out.response_body)) == _shape(json.loads(text))
    assert not standard.redact_frame(out).modified


def _shape(value: object) -> object:
    if isinstance(value, dict):
        return {"n": len(value), "shapes": [_shape(v) for v in value.values()]}
    return [_shape(v) for v in value] if isinstance(value, list) else type(value)
