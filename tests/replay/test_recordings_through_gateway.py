"""Recorded answers behind a real gateway: what the ``openai`` SDK reads through it must be what
the provider's own SDK reads from the same bytes, but for the differences listed here.

Whole, cut at random, and byte by byte: gateway and upstream share a loop, so that each piece of an
answer is a read of its own. The recordings beside the repository are used where they are; the
samples of this folder stand in for them everywhere.
"""

import contextlib
from dataclasses import dataclass

import openai
import pytest

from dragoman.transport.http1 import Connection
from support.gateway import running_gateway
from support.recordings import answer_bytes, exchanges, samples
from support.replay_upstream import (
    byte_by_byte,
    streamed_answer,
    whole_answer,
)
from support.scale import one_in, scaled
from support.sdk_reading import (
    read_gigachat,
    read_gigachat_v2,
    read_openai,
    stream_gigachat,
    stream_gigachat_v2,
    stream_openai,
)

ASK = {"messages": [{"role": "user", "content": "Hello"}]}
COUNTED = {**ASK, "stream_options": {"include_usage": True}}
SEEDS = range(scaled(1, 20))
SLOWLY = scaled(6_000, 1_000_000)
"""Bytes of an answer that come one by one, where that takes long."""

REASONS = {
    # GigaChat's words for what OpenAI's types call otherwise.
    "function_call": "tool_calls",
    "blacklist": "content_filter",
}

STATUSES = {
    # A credential that the upstream refuses is the operator's affair, not the caller's.
    401: ("InternalServerError", 502),
    403: ("InternalServerError", 502),
}

FAILED_IN_STREAM = ("APIError", None)

CUT = {
    # They end without a last word, which the SDK alone takes for an ordinary end.
    "cut_off.sse",
}

JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream"}


@dataclass
class Case:
    """One answer of an upstream."""

    name: str
    source: str
    """Who answered."""
    status: int
    headers: dict
    body: bytes

    def whole(self):
        return whole_answer(self.status, self.headers, self.body)

    def streamed(self, seed=None):
        return streamed_answer(self.status, self.headers, self.body, seed)


def recorded(api):
    for item in exchanges(api):
        answer = item["response"]
        yield Case(
            item["id"], item["provider"], answer["status"], answer["headers"], answer_bytes(item)
        )


def sampled(dialect, ending):
    headers = EVENTS if ending == ".sse" else JSON
    for name, body in samples(dialect, ending):
        yield Case(name, "sample", 200, headers, body)


def cases(found):
    return [pytest.param(case, id=case.name) for case in found]


def some(found):
    """An eighth, for a way that takes long; of each provider, answers and errors."""
    return one_in(
        8, found, kind=lambda case: (case.source, case.status), size=lambda case: len(case.body)
    )


@pytest.fixture(scope="module")
def module_gateway(thread, upstream, tmp_path_factory):
    toml = "retry.attempts = 1\n" + upstream.toml()
    folder = tmp_path_factory.mktemp("replay")
    with running_gateway(toml, folder, thread=thread) as gateway:
        yield gateway


@pytest.fixture
def gateway(module_gateway):
    enable_all_keys(module_gateway)
    yield module_gateway
    module_gateway.ended_well()


@pytest.fixture(scope="module")
def client(module_gateway):
    with openai.OpenAI(base_url=module_gateway.base_url, api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def direct(upstream):
    """The SDK without a gateway."""
    with openai.OpenAI(base_url=f"{upstream.url}/v1", api_key="any", max_retries=0) as client:
        yield client


def enable_all_keys(gateway):
    """Every credential is in use again, whatever the last recording said of it."""

    def enable():
        for broker in gateway.house.brokers.values():
            for key in broker.snapshot().keys:
                broker.enable(key.id)

    gateway.ask_loop(enable)


@contextlib.contextmanager
def laid_down(upstream, name, play):
    upstream.plays[name] = play
    try:
        yield name
    finally:
        del upstream.plays[name]


def for_callers(reading):
    """A direct reading as a caller of the gateway is to see it."""
    if reading.error is not None and reading.error[1] in STATUSES:
        reading.error = STATUSES[reading.error[1]]
    return reading


def passed_whole(upstream, direct, case):
    """What is to be read of a whole answer in the same dialect."""
    with laid_down(upstream, case.name, case.whole()):
        return for_callers(read_openai(direct, case.name, **ASK))


def passed_stream(upstream, direct, case):
    """What is to be read of a stream in the same dialect."""
    with laid_down(upstream, case.name, case.streamed()):
        expected = for_callers(stream_openai(direct, case.name, **COUNTED))
    if case.name in CUT:
        assert expected.error is None
        expected.error = FAILED_IN_STREAM
    return expected


def translated(reading):
    for said in reading.choices.values():
        said.reason = REASONS.get(said.reason, said.reason)
    return reading


WHOLE = [*recorded("openai.chat"), *recorded("compat.chat"), *sampled("openai_chat", ".json")]
STREAMED = [
    *recorded("openai.chat.stream"),
    *recorded("compat.chat.stream"),
    *sampled("openai_chat", ".sse"),
]
GIGACHAT_WHOLE = [*recorded("gigachat.chat"), *sampled("gigachat", ".json")]
GIGACHAT_STREAMED = [*recorded("gigachat.chat.stream"), *sampled("gigachat", ".sse")]


@pytest.mark.parametrize("case", cases(WHOLE))
def test_whole_answers_pass_as_they_are(gateway, upstream, client, direct, case):
    expected = passed_whole(upstream, direct, case)
    with laid_down(upstream, case.name, case.whole()):
        assert read_openai(client, f"openai/{case.name}", **ASK) == expected


@pytest.mark.parametrize("case", cases(some(WHOLE)))
def test_whole_answers_byte_by_byte(gateway, upstream, client, direct, case):
    expected = passed_whole(upstream, direct, case)
    with laid_down(upstream, case.name, byte_by_byte(case.whole())):
        assert read_openai(client, f"openai/{case.name}", **ASK) == expected


@pytest.mark.parametrize("case", cases(STREAMED))
def test_streams_pass_as_they_are(gateway, upstream, client, direct, case):
    expected = passed_stream(upstream, direct, case)
    for seed in (None, *SEEDS):
        with laid_down(upstream, case.name, case.streamed(seed)):
            assert stream_openai(client, f"openai/{case.name}", **COUNTED) == expected
        enable_all_keys(gateway)


@pytest.mark.parametrize("case", cases(some(STREAMED)))
def test_streams_byte_by_byte(gateway, upstream, client, direct, case):
    expected = passed_stream(upstream, direct, case)
    with laid_down(upstream, case.name, byte_by_byte(case.streamed(1), SLOWLY)):
        assert stream_openai(client, f"openai/{case.name}", **COUNTED) == expected


@pytest.mark.parametrize("way", [Case.whole, lambda case: byte_by_byte(case.whole())])
@pytest.mark.parametrize("case", cases(GIGACHAT_WHOLE))
def test_gigachats_whole_answers(gateway, upstream, client, case, way):
    with laid_down(upstream, case.name, way(case)):
        seen = read_openai(client, f"gigachat/{case.name}", **ASK)
    if case.status == 404:
        assert seen.error == ("NotFoundError", 404)
    else:
        assert seen == translated(read_gigachat(case.status, case.body))


@pytest.mark.parametrize("case", cases(GIGACHAT_STREAMED))
def test_gigachats_streams(gateway, upstream, client, case):
    expected = translated(stream_gigachat(case.body))
    for seed in (None, *range(scaled(10, 100))):
        with laid_down(upstream, case.name, case.streamed(seed)):
            assert stream_openai(client, f"gigachat/{case.name}", **COUNTED) == expected


@pytest.mark.parametrize("case", cases(GIGACHAT_STREAMED))
def test_gigachats_streams_byte_by_byte(gateway, upstream, client, case):
    expected = translated(stream_gigachat(case.body))
    for seed in (None, *range(scaled(1, 20))):
        with laid_down(upstream, case.name, byte_by_byte(case.streamed(seed))):
            assert stream_openai(client, f"gigachat/{case.name}", **COUNTED) == expected


@pytest.mark.parametrize("provider", ["openai", "gigachat"])
def test_the_gateway_reads_each_byte_by_itself(thread, upstream, tmp_path, monkeypatch, provider):
    """What the tests above rely on."""
    reads = []
    receive = Connection.data_received

    def received(connection, data):
        reads.append(data)
        receive(connection, data)

    monkeypatch.setattr(Connection, "data_received", received)
    case = {"openai": STREAMED, "gigachat": GIGACHAT_STREAMED}[provider][-1]
    with (
        running_gateway(upstream.toml(), tmp_path, thread=thread) as gateway,
        openai.OpenAI(base_url=gateway.base_url, api_key="any", max_retries=0) as client,
        laid_down(upstream, case.name, byte_by_byte(case.streamed(1))),
    ):
        reads.clear()
        assert stream_openai(client, f"{provider}/{case.name}", **COUNTED).error is None
    answer = [data for data in reads if len(data) == 1]
    assert len(answer) > len(case.body)
    assert len(reads) - len(answer) <= 1, "the answer to the request for a token comes whole"


@pytest.mark.parametrize(
    "case",
    cases([*recorded("gigachat.chat_v2"), *sampled("gigachat_v2", ".json")]),
)
def test_gigachats_whole_answers_of_version_2(gateway, upstream, client, case):
    with laid_down(upstream, case.name, case.whole()):
        seen = read_openai(client, f"gigachat2/{case.name}", **ASK)
    assert seen == translated(read_gigachat_v2(case.status, case.body))


@pytest.mark.parametrize(
    "case",
    cases([*recorded("gigachat.chat_v2.stream"), *sampled("gigachat_v2", ".sse")]),
)
def test_gigachats_streams_of_version_2(gateway, upstream, client, case):
    expected = translated(stream_gigachat_v2(case.body))
    plays = [case.streamed(seed) for seed in (None, *range(scaled(3, 100)))]
    for play in [*plays, byte_by_byte(case.streamed())]:
        with laid_down(upstream, case.name, play):
            assert stream_openai(client, f"gigachat2/{case.name}", **COUNTED) == expected
