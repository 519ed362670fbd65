"""Recorded answers behind a real gateway: what the ``openai`` SDK reads through it must be what
the provider's own SDK reads from the same bytes, but for the differences listed here.

Whole, and streams also with their bytes cut at random. The recordings beside the repository are
used where they are; the samples of this folder stand in for them everywhere.
"""

import contextlib
from dataclasses import dataclass

import openai
import pytest

from support.gateway import running_gateway
from support.recordings import answer_bytes, exchanges, samples
from support.replay_upstream import replay_upstream, streamed_answer, whole_answer
from support.scale import scaled
from support.sdk_reading import (
    read_gigachat,
    read_openai,
    stream_gigachat,
    stream_openai,
)

ASK = {"messages": [{"role": "user", "content": "Hello"}]}
COUNTED = {**ASK, "stream_options": {"include_usage": True}}
SEEDS = range(scaled(1, 20))

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
        yield Case(item["id"], answer["status"], answer["headers"], answer_bytes(item))


def sampled(dialect, ending):
    headers = EVENTS if ending == ".sse" else JSON
    for name, body in samples(dialect, ending):
        yield Case(name, 200, headers, body)


def cases(*sources):
    return [pytest.param(case, id=case.name) for source in sources for case in source]


@pytest.fixture(scope="module")
def upstream():
    with replay_upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def module_gateway(upstream, tmp_path_factory):
    toml = "retry.attempts = 1\n" + upstream.toml()
    with running_gateway(toml, tmp_path_factory.mktemp("replay")) as gateway:
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


@pytest.mark.parametrize(
    "case",
    cases(recorded("openai.chat"), recorded("compat.chat"), sampled("openai_chat", ".json")),
)
def test_whole_answers_pass_as_they_are(gateway, upstream, client, direct, case):
    with laid_down(upstream, case.name, case.whole()):
        expected = for_callers(read_openai(direct, case.name, **ASK))
        assert read_openai(client, f"openai/{case.name}", **ASK) == expected


@pytest.mark.parametrize(
    "case",
    cases(
        recorded("openai.chat.stream"),
        recorded("compat.chat.stream"),
        sampled("openai_chat", ".sse"),
    ),
)
def test_streams_pass_as_they_are(gateway, upstream, client, direct, case):
    with laid_down(upstream, case.name, case.streamed()):
        expected = for_callers(stream_openai(direct, case.name, **COUNTED))
    if case.name in CUT:
        assert expected.error is None
        expected.error = FAILED_IN_STREAM
    for seed in (None, *SEEDS):
        with laid_down(upstream, case.name, case.streamed(seed)):
            assert stream_openai(client, f"openai/{case.name}", **COUNTED) == expected
        enable_all_keys(gateway)


def translated(reading):
    for said in reading.choices.values():
        said.reason = REASONS.get(said.reason, said.reason)
    return reading


@pytest.mark.parametrize(
    "case",
    cases(recorded("gigachat.chat"), sampled("gigachat", ".json")),
)
def test_gigachats_whole_answers(gateway, upstream, client, case):
    with laid_down(upstream, case.name, case.whole()):
        seen = read_openai(client, f"gigachat/{case.name}", **ASK)
    if case.status == 404:
        assert seen.error == ("NotFoundError", 404)
    else:
        assert seen == translated(read_gigachat(case.status, case.body))


@pytest.mark.parametrize(
    "case",
    cases(recorded("gigachat.chat.stream"), sampled("gigachat", ".sse")),
)
def test_gigachats_streams(gateway, upstream, client, case):
    expected = translated(stream_gigachat(case.body))
    for seed in (None, *range(scaled(10, 100))):
        with laid_down(upstream, case.name, case.streamed(seed)):
            assert stream_openai(client, f"gigachat/{case.name}", **COUNTED) == expected
