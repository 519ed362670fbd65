"""Recorded answers of Claude behind a real gateway: what the ``openai`` SDK reads through it must
be what the ``anthropic`` SDK reads from the same bytes.
"""

import openai
import pytest

from support.anthropic_reading import for_callers, read_stream, read_whole
from support.gateway import running_gateway
from support.recordings import answer_bytes, exchanges
from support.replay_upstream import byte_by_byte, streamed_answer, whole_answer
from support.scale import one_in, scaled
from support.sdk_reading import read_openai, stream_openai
from support.target_gateways import enable_all_keys

ASK = {"messages": [{"role": "user", "content": "Hello"}]}
COUNTED = {**ASK, "stream_options": {"include_usage": True}}
PROVIDER = """
[providers.anthropic]
kind = "anthropic"
base_url = "{url}"
credentials = ["sk-ant-replayed"]
models = ["claude-sonnet-5"]
"""


def cases(found):
    return [pytest.param(exchange, id=exchange["id"]) for exchange in found]


WHOLE = exchanges("anthropic.messages")
STREAMED = exchanges("anthropic.messages.stream")
SLOWLY = one_in(
    8,
    list(STREAMED),
    kind=lambda exchange: exchange["response"]["status"],
    size=lambda exchange: len(exchange["response"]["body"]),
)


@pytest.fixture(scope="module")
def module_gateway(thread, upstream, tmp_path_factory):
    toml = "retry.attempts = 1\n" + upstream.toml() + PROVIDER.format(url=upstream.url)
    with running_gateway(toml, tmp_path_factory.mktemp("replay"), thread=thread) as gateway:
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


def played(exchange, seed=None, *, stream):
    answer = exchange["response"]
    parts = answer["status"], answer["headers"], answer_bytes(exchange)
    return streamed_answer(*parts, seed) if stream else whole_answer(*parts)


@pytest.mark.parametrize("exchange", cases(WHOLE))
def test_whole_answers(gateway, upstream, client, exchange):
    name = exchange["id"]
    upstream.plays[name] = played(exchange, stream=False)
    assert read_openai(client, f"anthropic/{name}", **ASK) == for_callers(read_whole, exchange)


@pytest.mark.parametrize("exchange", cases(STREAMED))
def test_streams(gateway, upstream, client, exchange):
    name = exchange["id"]
    expected = for_callers(read_stream, exchange)
    for seed in (None, *range(scaled(1, 20))):
        upstream.plays[name] = played(exchange, seed, stream=True)
        assert stream_openai(client, f"anthropic/{name}", **COUNTED) == expected
        enable_all_keys(gateway)


@pytest.mark.parametrize("exchange", cases(SLOWLY))
def test_streams_byte_by_byte(gateway, upstream, client, exchange):
    name = exchange["id"]
    upstream.plays[name] = byte_by_byte(played(exchange, 1, stream=True), scaled(6000, 1_000_000))
    expected = for_callers(read_stream, exchange)
    assert stream_openai(client, f"anthropic/{name}", **COUNTED) == expected
