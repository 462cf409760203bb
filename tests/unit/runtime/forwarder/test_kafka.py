"""What the exporter `kafka` makes of a broker's words."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError, UnknownError
from aiokafka.protocol.produce import ProduceRequest, ProduceResponse_v7

from speedscale_runtime.forwarder.exporters.kafka import _errors
from speedscale_runtime.forwarder.exporters.kafka_answers import INVALID_RECORD, Answers


def answer(*codes: int, throttle_ms: int = 0) -> ProduceResponse_v7:
    parts = [(number, code, -1, -1, -1) for number, code in enumerate(codes)]
    return ProduceResponse_v7(topics=[("t", parts)], throttle_time_ms=throttle_ms)


def test_a_throttle_time_counts_from_its_answer_and_the_longest_holds() -> None:
    now = 100.0
    answers = Answers(lambda: now)
    assert answers.quiet_s() == 0
    answers.note(answer(0, throttle_ms=4000))
    answers.note(answer(0, throttle_ms=1000))
    answers.begin()
    assert answers.quiet_s() == 4
    now = 103.5
    assert answers.quiet_s() == 0.5
    now = 200.0
    assert answers.quiet_s() == 0


def test_nobody_is_silenced_for_days() -> None:
    answers = Answers(lambda: 0.0)
    answers.note(answer(throttle_ms=2**31 - 1))
    assert answers.quiet_s() == 300


def test_the_last_error_has_its_name_and_success_none() -> None:
    answers = Answers()
    answers.note(answer(0, 0))
    assert answers.last_error() == ""
    answers.note(answer(0, 19))
    assert answers.last_error() == "NotEnoughReplicasError"
    answers.note(answer(INVALID_RECORD, 0))
    assert (answers.last_error(), answers.said(INVALID_RECORD), answers.said(7)) == ("InvalidRecord", True, False)
    answers.begin()
    assert (answers.last_error(), answers.said(INVALID_RECORD)) == ("", False)


async def test_only_answers_to_produce_requests_are_listened_to() -> None:
    class Client:
        async def send(self, node: Any, request: Any, *, group: str = "") -> Any:
            return answer(7)

    client: Any = Client()
    answers = Answers()
    answers.listen(client)
    await client.send(1, object(), group="x")
    assert answers.last_error() == ""
    await client.send(1, ProduceRequest(None, -1, 1, []), group="x")
    assert answers.last_error() == "RequestTimedOutError"


@pytest.mark.parametrize("problem", [None, TimeoutError(), MessageSizeTooLargeError()])
async def test_what_was_acknowledged_before_a_time_out_is_not_wanted_again(problem: BaseException | None) -> None:
    futures = [asyncio.get_running_loop().create_future() for _ in range(4)]
    futures[0].set_result("here")
    futures[1].set_exception(UnknownError())
    futures[2].cancel()
    found = _errors(futures, 6, problem)
    assert found[0] is None
    assert isinstance(found[1], UnknownError)
    missing = type(problem or TimeoutError())
    assert [type(error) for error in found[2:]] == [missing] * 4
