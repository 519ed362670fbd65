"""Upstreams that misbehave on the wire: whatever they do, the caller gets a typed error (or an
error inside the stream that has begun), never a made-up end, and every key comes back.

For a translated dialect (GigaChat) and a passed one (OpenAI).
"""

import asyncio
import json

import pytest

from support.gateway import running_gateway
from support.raw_http import chat_body, said_error, send
from support.replay_upstream import (
    STREAM_HEAD,
    answer_of,
    chunk,
    head_of,
    replay_upstream,
    whole_answer,
)
from support.target_gateways import enable_all_keys

TIMEOUTS = "timeouts = { first_byte = 0.3, idle = 0.3, total = 5 }"
HTML = b"<html><head><title>Bad Gateway</title></head><body>nginx</body></html>"
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
TARGETS = pytest.mark.parametrize("target", ["gigachat", "openai"])


def event(value):
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def chunk_of(delta, reason=None, **members):
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return event({
        "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [choice], **members,
    })  # fmt: skip


USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
TEXTS = ["Добрый", " день", ", 🌍", "!"]
EVENTS = {
    "openai": [
        chunk_of({"role": "assistant", "content": ""}),
        *[chunk_of({"content": text}) for text in TEXTS],
        chunk_of({}, "stop"),
        b"data: [DONE]\n\n",
    ],
    "gigachat": [
        chunk_of({"role": "assistant", "content": TEXTS[0]}),
        *[chunk_of({"content": text}) for text in TEXTS[1:]],
        chunk_of({"content": ""}, "stop", usage=USAGE),
        b"data: [DONE]\n\n",
    ],
}
GOOD_WHOLE = {
    "id": "x", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE,
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}}
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def upstream():
    with replay_upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def module_gateway(upstream, tmp_path_factory):
    toml = "retry.attempts = 1\n" + upstream.toml(more=TIMEOUTS)
    with running_gateway(toml, tmp_path_factory.mktemp("trouble")) as gateway:
        yield gateway


@pytest.fixture
def gateway(module_gateway):
    enable_all_keys(module_gateway)
    yield module_gateway
    module_gateway.ended_well()


@pytest.fixture
def ask(gateway, upstream):
    """Ask ``target`` while the upstream does ``play``."""

    def ask(target, play, *, stream):
        upstream.plays["m"] = play
        enable_all_keys(gateway)
        return send(gateway, chat_body(f"{target}/m", stream=stream))

    return ask


def is_an_error(reply, *statuses):
    assert reply.status in statuses, reply.body
    error = said_error(reply)
    assert error["code"] or error["type"]
    assert "nginx" not in error["message"]


def fails_in_stream(reply):
    """A 200 whose stream ends with an error object and says nothing of a good end."""
    assert reply.status == 200
    assert b"[DONE]" not in reply.body
    last = json.loads(reply.body.decode().rstrip("\n").rpartition("\n\n")[2][6:])
    assert set(last) == {"error"}
    assert last["error"]["message"]
    assert b'"finish_reason":"stop"' not in reply.body.replace(b'": "', b'":"')


@TARGETS
@STREAMS
@pytest.mark.parametrize("status", [200, 502])
def test_html_is_an_error(ask, target, stream, status):
    play = whole_answer(status, {"content-type": "text/html"}, HTML)
    is_an_error(ask(target, play, stream=stream), 502)


@TARGETS
@STREAMS
def test_an_error_object_under_200_is_an_error(ask, target, stream):
    said = {"error": {"message": "Out of memory", "type": "server_error", "code": 500}}
    is_an_error(ask(target, whole_answer(200, {"content-type": "application/json"},
        json.dumps(said).encode()), stream=stream), 502)  # fmt: skip


def cut_points(events):
    """Every event boundary, and three places inside each event; bytes of the whole stream."""
    at = 0
    for each in events:
        yield from {at, at + 1, at + len(each) // 2, at + len(each) - 1}
        at += len(each)


def cut_stream(data, ending):
    async def play(peer):
        await peer.write(STREAM_HEAD + (chunk(data) if data else b"") + ending)
        peer.close()

    return play


ENDINGS = {
    "closed between chunks": b"",
    "closed in a chunk": b"40\r\ndata: {",
    "said to be whole": b"0\r\n\r\n",
    "a chunk size that is none": b"ZZ\r\n",
}


@TARGETS
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_stream_cut_anywhere_never_ends_well(ask, target, ending):
    events = EVENTS[target]
    whole = b"".join(events)
    finish = whole.index(b'"stop"')
    finish = whole.index(b"\n\n", finish)
    for cut in sorted(set(cut_points(events))):
        reply = ask(target, cut_stream(whole[:cut], ending), stream=True)
        if reply.status != 200:
            is_an_error(reply, 502)
        elif cut < finish:
            fails_in_stream(reply)
        elif b"[DONE]" not in reply.body and b'"error"' not in reply.body:
            # The answer was whole; what an OpenAI-compatible server left out is its farewell.
            assert (target, ending) == ("openai", ENDINGS["said to be whole"])


@TARGETS
def test_a_whole_answer_cut_anywhere_is_an_error(ask, target):
    body = json.dumps(GOOD_WHOLE).encode()
    head = head_of(200, {"content-type": "application/json"}, f"content-length: {len(body)}")
    whole = head + body
    for cut in range(0, len(whole), 23):

        async def play(peer, cut=cut):
            await peer.write(whole[:cut])
            peer.close()

        is_an_error(ask(target, play, stream=False), 502)


@TARGETS
@STREAMS
def test_an_upstream_that_never_answers_times_out(ask, target, stream):
    async def play(peer):
        await peer.gone()

    is_an_error(ask(target, play, stream=stream), 504)


@TARGETS
@STREAMS
def test_an_upstream_that_resets_is_an_error(ask, target, stream):
    async def play(peer):
        peer.reset()

    is_an_error(ask(target, play, stream=stream), 502)


@TARGETS
def test_a_stream_that_stalls_times_out_inside_the_stream(ask, target):
    async def play(peer):
        await peer.write(STREAM_HEAD + chunk(b"".join(EVENTS[target][:3])))
        await peer.gone()

    fails_in_stream(ask(target, play, stream=True))


@TARGETS
def test_a_whole_answer_that_stalls_times_out(ask, target):
    async def play(peer):
        head = head_of(200, {"content-type": "application/json"}, "content-length: 500")
        await peer.write(head + b'{"choices"')
        await peer.gone()

    is_an_error(ask(target, play, stream=False), 504)


async def endless(peer, start, block):
    """More and more, until the gateway has had enough."""
    await peer.write(start)
    while not peer.writer.is_closing():
        await peer.write(block)
        await asyncio.sleep(0)


@TARGETS
@STREAMS
@pytest.mark.parametrize("status", [200, 500])
def test_an_endless_body_is_given_up(ask, target, stream, status):
    async def play(peer):
        head = head_of(status, {"content-type": "application/json"}, "transfer-encoding: chunked")
        await endless(peer, head + chunk(b'{"choices": "'), chunk(b"x" * 1_000_000))

    is_an_error(ask(target, play, stream=stream), 502)


@TARGETS
def test_an_endless_event_is_given_up(ask, target):
    async def play(peer):
        start = STREAM_HEAD + chunk(b"".join(EVENTS[target][:2]) + b"data: {")
        await endless(peer, start, chunk(b"x" * 1_000_000))

    fails_in_stream(ask(target, play, stream=True))


@TARGETS
@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_error_event_in_the_middle_ends_the_stream(ask, target, number):
    error = event({"error": {"message": "Overloaded", "type": "server_error", "code": 503}})
    data = b"".join(EVENTS[target][:number]) + error + b"data: [DONE]\n\n"
    reply = ask(target, cut_stream(data, b"0\r\n\r\n"), stream=True)
    if reply.status == 200:
        fails_in_stream(reply)
    else:
        is_an_error(reply, 502, 503)


# Two credentials, one of them no good.


@pytest.fixture
def pair(upstream, tmp_path):
    toml = "retry.attempts = 2\n" + upstream.toml(keys=("sk-first", "sk-second"))
    with running_gateway(toml, tmp_path) as gateway:
        yield gateway
        gateway.ended_well()


def refusing_first(upstream, status):
    """The first key that is tried is refused for ever, the other serves."""
    bad = []

    async def play(peer):
        bad[:] = bad or [upstream.keys[-1]]
        if upstream.keys[-1] in bad:
            await peer.write(answer_of({"error": {"message": "no"}}, status, retry_after="30"))
        else:
            await peer.write(answer_of(GOOD_WHOLE))

    return play


@pytest.mark.parametrize("status", [401, 429])
def test_another_key_serves_when_one_is_refused(pair, upstream, status):
    upstream.plays["m"] = refusing_first(upstream, status)
    del upstream.keys[:]
    replies = [send(pair, chat_body("openai/m")) for _ in range(6)]
    assert [reply.status for reply in replies] == [200] * 6
    assert [reply.headers["x-dragoman-attempts"] for reply in replies] == ["2"] + ["1"] * 5
    assert len(set(upstream.keys)) == 2
    assert upstream.keys.count(upstream.keys[0]) == 1


@pytest.mark.parametrize(("status", "told"), [(401, 502), (429, 429), (500, 502)])
def test_the_upstreams_own_reason_is_told_when_every_key_failed(pair, upstream, status, told):
    upstream.plays["m"] = whole_answer(status, {"retry-after": "300"}, b"{}")
    reply = send(pair, chat_body("openai/m"))
    assert reply.status == told
    said_error(reply)
    assert reply.headers["x-dragoman-attempts"] == "2"


def test_the_upstreams_own_reason_is_told_when_its_only_key_is_refused(upstream, tmp_path):
    upstream.plays["m"] = whole_answer(401, {}, b"{}")
    with running_gateway(upstream.toml(keys=("sk-only",)), tmp_path) as gateway:
        reply = send(gateway, chat_body("openai/m"))
        assert reply.status == 502
        assert said_error(reply)["code"] == "upstream_authentication"
        assert send(gateway, chat_body("openai/m")).status == 503
