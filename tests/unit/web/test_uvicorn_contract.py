"""What the hot path relies on of the server's internals; a release that changes it fails here."""

import asyncio
import inspect
import re

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dragoman.web.call import Call
from dragoman.web.protocol import ConversationProtocol
from support.echo_front import post, read_answer, serve_echo

BOTH = pytest.mark.parametrize("callbacks", [True, False], ids=["callbacks", "asgi"])


@pytest.mark.parametrize(
    "name",
    [
        "connection_made",
        "connection_lost",
        "pause_writing",
        "resume_writing",
        "on_message_begin",
        "on_url",
        "on_header",
        "on_headers_complete",
        "on_body",
        "on_message_complete",
        "on_response_complete",
        "send_400_response",
        "_start_asgi_task",
    ],
)
def test_the_methods_that_are_extended_exist(name):
    assert callable(getattr(HttpToolsProtocol, name))


def test_their_parameters_are_what_the_hot_path_gives_them():
    for name in vars(ConversationProtocol):
        theirs = HttpToolsProtocol.__dict__.get(name)
        ours = vars(ConversationProtocol)[name]
        if inspect.isfunction(theirs) and name != "__init__":
            assert list(inspect.signature(theirs).parameters) == list(
                inspect.signature(ours).parameters
            ), name


def test_the_members_of_a_cycle_that_a_call_stands_in_for():
    source = inspect.getsource(HttpToolsProtocol)
    used = set(re.findall(r"self\.cycle\.(\w+)", source))
    body = {"body", "more_body"}  # only of cycles that the ordinary way has made
    assert used - body <= set(dir(Call))
    assert body <= used


@BOTH
async def test_a_conversation_is_answered_and_the_connection_kept(callbacks):
    async with serve_echo(callbacks=callbacks) as served:
        reader, writer = await served.connect()
        for text in (b"one", b"two"):
            writer.write(post(text, "Authorization: Bearer k", "X-Dragoman-On-Unsupported: reject"))
            status, headers, body = await read_answer(reader)
            assert (status, body) == (200, text)
            assert headers["x-request-id"]
        arrival = served.pipeline.exchanges[-1].arrival
        assert arrival.head.tokens == (b"k",)
        assert arrival.head.reject_unsupported
        writer.close()


@BOTH
async def test_other_requests_reach_the_pages_on_the_same_connection(callbacks):
    async with serve_echo(callbacks=callbacks) as served:
        reader, writer = await served.connect()
        for _ in range(2):
            writer.write(post(b"one"))
            assert (await read_answer(reader))[2] == b"one"
            writer.write(b"GET /health?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await read_answer(reader))[2] == b"page /health"
            writer.write(post(b"abc", path="/elsewhere"))
            assert (await read_answer(reader))[2] == b"page /elsewhere"
        writer.close()


@BOTH
async def test_pipelined_requests_are_answered_in_order(callbacks):
    async with serve_echo(callbacks=callbacks) as served:
        reader, writer = await served.connect()
        later: list = []
        served.pipeline.act = later.append
        writer.write(post(b"one") + post(b"two") + b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        while not later:
            await asyncio.sleep(0.005)
        served.pipeline.act = served.pipeline.echo
        served.pipeline.echo(later[0])
        assert [(await read_answer(reader))[2] for _ in range(3)] == [b"one", b"two", b"page /x"]
        writer.close()
