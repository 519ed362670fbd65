"""When an upstream has said its last word the answer is over for the client, though the end of the
upstream's bytes may take its time: SDKs hang up at ``[DONE]``, and must not seem to have left early
nor cost the upstream's connection.
"""

import asyncio
import json

import openai
import pytest

from support.gateway import gateway_thread, running_gateway
from support.polling import until
from support.raw_http import chat_body, send
from support.replay_upstream import STREAM_HEAD, chunk, replay_upstream

TARGETS = pytest.mark.parametrize("target", ["gigachat", "openai"])
DONE = b"data: [DONE]\n\n"


def chunk_of(delta, reason=None):
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    value = {"id": "x", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(value | {"object": "chat.completion.chunk"}).encode() + b"\n\n"


ANSWER = chunk_of({"role": "assistant", "content": "Hi"}) + chunk_of({}, "stop") + DONE


class LateEnd:
    """Says all that there is to say, and ends its bytes when it is let through."""

    def __init__(self):
        self.let_through = asyncio.Event()
        self.peers = []
        """To whom each answer went."""

    async def __call__(self, peer):
        self.peers.append(peer)
        await peer.write(STREAM_HEAD + chunk(ANSWER[:-2]))
        await asyncio.sleep(0.01)
        await peer.write(chunk(ANSWER[-2:]))
        await self.let_through.wait()
        await peer.write(b"0\r\n\r\n")


@pytest.fixture(scope="module")
def thread():
    with gateway_thread() as thread:
        yield thread


@pytest.fixture(scope="module")
def upstream(thread):
    with replay_upstream(thread) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(thread, upstream, tmp_path_factory):
    toml = upstream.toml(more="timeouts = { first_byte = 5, idle = 5, total = 20 }")
    with running_gateway(toml, tmp_path_factory.mktemp("words"), thread=thread) as gateway:
        yield gateway


@pytest.fixture
def play(upstream):
    play = upstream.plays["m"] = LateEnd()
    upstream.departures = 0
    return play


def idle(gateway):
    """Connections to the upstream that wait for a call."""
    return sum(len(origin._idle) for origin in gateway.house.origins.values())


def in_use(gateway):
    return sum(origin.in_use for origin in gateway.house.origins.values())


@TARGETS
def test_the_clients_answer_ends_with_the_last_word(gateway, upstream, thread, play, target):
    reply = send(gateway, chat_body(f"{target}/m", stream=True))
    assert reply.status == 200
    assert reply.body.endswith(DONE)
    assert reply.body.count(b"data:") >= 3
    gateway.ended_well()
    assert in_use(gateway) == 1, "the end of the upstream's bytes is waited for"
    thread.loop.call_soon_threadsafe(play.let_through.set)
    thread.run(until(lambda: not in_use(gateway)))
    assert send(gateway, chat_body(f"{target}/m", stream=True)).body.endswith(DONE)
    thread.run(until(lambda: not in_use(gateway)))
    assert upstream.departures == 0
    assert play.peers[0].writer is play.peers[1].writer, "the connection has served twice"


@TARGETS
def test_a_program_that_hangs_up_at_the_last_word_has_not_left_early(
    gateway, upstream, thread, play, target
):
    left = gateway.house.metrics.client_disconnects
    with openai.OpenAI(base_url=gateway.base_url, api_key="any", max_retries=0) as client:
        messages = [{"role": "user", "content": "Hello"}]
        stream = client.chat.completions.create(model=f"{target}/m", messages=messages, stream=True)
        assert [chunk.choices[0].finish_reason for chunk in stream][-1] == "stop"
    gateway.ended_well()
    thread.loop.call_soon_threadsafe(play.let_through.set)
    thread.run(until(lambda: not in_use(gateway)))
    assert gateway.house.metrics.client_disconnects == left
    assert upstream.departures == 0


@TARGETS
def test_an_upstream_that_goes_on_behind_its_last_word_is_hung_up_on(
    gateway, upstream, thread, target
):
    async def goes_on(peer):
        await peer.write(STREAM_HEAD + chunk(ANSWER))
        while True:
            await peer.write(chunk(b": and another thing\n\n"))
            await asyncio.sleep(0.01)

    upstream.plays["m"] = goes_on
    upstream.departures = 0
    assert DONE in send(gateway, chat_body(f"{target}/m", stream=True)).body
    thread.run(until(lambda: upstream.departures == 1))
    gateway.ended_well()
    assert in_use(gateway) == 0
