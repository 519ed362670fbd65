"""Requests that nobody can serve: each gets a 4xx in OpenAI's shape that names the field, and no
upstream is asked. For both targets and both ways of serving.
"""

import gzip
import json
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from support.gateway import running_gateway
from support.raw_http import CHAT, chat_body, connected, received, said_error, send
from support.simulator import Reply, running_simulator
from support.target_gateways import served_by

DEEP = 10_000
MEGABYTE = 1024 * 1024

TARGETS = pytest.mark.parametrize("model", ["openai/gpt-4o", "gigachat/GigaChat-2-Max"])


@pytest.fixture(scope="module")
def own_simulator():
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module", params=["callbacks", "asgi"])
def served(request, own_simulator, tmp_path_factory):
    toml = own_simulator.server.config_toml() + served_by(request.param)
    with running_gateway(toml, tmp_path_factory.mktemp(request.param)) as gateway:
        yield gateway


@pytest.fixture
def gateway(served, own_simulator):
    """Whatever is asked here, no upstream may hear of it."""
    own_simulator.reset()
    yield served
    chats = [path for path in own_simulator.view()["requests"] if "completions" in path]
    assert not chats
    served.ended_well()


def nested(opening, closing, depth=DEEP):
    return opening * depth + closing * depth


def body_of(target, **members):
    return json.dumps({**chat_body(target), **members}).encode()


def with_raw(model, member, text):
    """The body of a good request with ``member`` spelled as ``text``."""
    members = {name: json.dumps(value) for name, value in chat_body(model).items()}
    members[member] = text
    return ("{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}").encode()


def said(**members):
    return [{"role": "user", **members}]


NO_JSON = {
    "words": b"model=gpt-4o&messages=hello",
    "nothing": b"",
    "an array": b'[{"model": "gpt-4o"}]',
    "a string": b'"hello"',
    "null": b"null",
    "half a body": b'{"model": "openai/gpt-4o", "messages": [',
    "two bodies": b"{}{}",
    "invalid utf-8": b'{"model": "openai/gpt-4o", "messages": [{"role":"user","content":"\xff"}]}',
    "a byte order mark of utf-16": '{"model": "openai/gpt-4o"}'.encode("utf-16"),
}


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in NO_JSON.items()])
def test_a_body_that_is_no_json_object(gateway, body):
    reply = send(gateway, body)
    assert reply.status == 400
    assert said_error(reply)["type"] == "invalid_request_error"


TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def tool(**function):
    return {"type": "function", "function": {"name": "look", **function}}


WRONG_MEMBERS = [
    ("model", 7, "model"),
    ("model", None, "model"),
    ("model", "", "model"),
    ("messages", "hello", "messages"),
    ("messages", None, "messages"),
    ("messages", {}, "messages"),
    ("messages", [], "messages"),
    ("messages", ["hello"], "messages[0]"),
    ("messages", [{"content": "hello"}], "messages[0].role"),
    ("messages", [{"role": "wizard", "content": "hello"}], "messages[0].role"),
    ("stream", "yes", "stream"),
    ("stream_options", 7, "stream_options"),
]
"""Member, value, and how ``param`` begins: what no target is asked."""

WRONG_FOR_THE_TRANSLATION = [
    ("messages", said(content=7), "messages[0].content"),
    ("messages", said(content=[7]), "messages[0].content[0]"),
    ("messages", said(content=[{"type": "smell"}]), "messages"),
    ("messages", said(content=[{"type": "text"}]), "messages[0].content[0]"),
    ("temperature", "hot", "temperature"),
    ("top_p", [], "top_p"),
    ("max_tokens", "many", "max_tokens"),
    ("max_tokens", 1.5, "max_tokens"),
    ("n", "two", "n"),
    ("stop", 7, "stop"),
    ("stop", [7], "stop"),
    ("tools", {}, "tools"),
    ("tools", [7], "tools[0]"),
    ("tools", [{"type": "function"}], "tools[0]"),
    ("tools", [tool(name=7)], "tools[0].function.name"),
    ("tools", [tool(parameters="none")], "tools[0].function.parameters"),
    ("tools", [TOOL, TOOL], "tools[1].function.name"),
    (
        "tools",
        [tool(parameters={"type": "object", "properties": {"a": {"$ref": "other.json#/a"}}})],
        "tools[0].function.parameters",
    ),
    ("tool_choice", 7, "tool_choice"),
    ("tool_choice", "sometimes", "tool_choice"),
    ("response_format", "json", "response_format"),
    ("response_format", {"type": "xml"}, "response_format"),
    ("reasoning_effort", 7, "reasoning_effort"),
    (
        "messages",
        [
            *said(content="hello"),
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "look", "arguments": "{not json"},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "22"},
        ],
        "messages[1].tool_calls[0].function.arguments",
    ),
    (
        "messages",
        [*said(content="hello"), {"role": "tool", "tool_call_id": "c1", "content": "22"}],
        "messages[1]",
    ),
]
"""What is read only where a request is translated: an OpenAI-compatible server judges itself."""


def is_refused(gateway, body, param):
    reply = send(gateway, body)
    assert reply.status == 400, reply.body
    error = said_error(reply)
    assert (error["param"] or "").startswith(param), error


@TARGETS
@pytest.mark.parametrize(("member", "value", "param"), WRONG_MEMBERS)
def test_a_wrong_type_is_named_by_its_field(gateway, model, member, value, param):
    is_refused(gateway, body_of(model, **{member: value}), param)


@pytest.mark.parametrize(("member", "value", "param"), WRONG_FOR_THE_TRANSLATION)
def test_what_cannot_be_translated_is_named_by_its_field(gateway, member, value, param):
    is_refused(gateway, body_of("gigachat/GigaChat-2-Max", **{member: value}), param)


@TARGETS
@pytest.mark.parametrize("member", ["model", "messages"])
def test_a_missing_member_is_named(gateway, model, member):
    body = chat_body(model)
    del body[member]
    is_refused(gateway, body, member)


@TARGETS
@pytest.mark.parametrize(
    ("member", "text"),
    [
        ("messages", nested("[", "]")),
        ("messages", '[{"role":"user","content":' + nested("[", "]") + "}]"),
        ("tools", nested("[", "]")),
        (
            "tools",
            '[{"type":"function","function":{"name":"a","parameters":'
            + nested('{"items":', "}").replace(":}", ":1}", 1)
            + "}}]",
        ),
        ("unheard_of", nested("[", "]")),
        ("unheard_of", nested('{"a":', "}").replace(":}", ":1}", 1)),
    ],
    ids=["messages", "content", "tools", "schema", "unknown array", "unknown object"],
)
def test_deep_nesting_is_refused(gateway, model, member, text):
    reply = send(gateway, with_raw(model, member, text))
    assert reply.status == 400, reply.body
    said_error(reply)


@TARGETS
def test_a_lone_surrogate_is_refused(gateway, model):
    reply = send(gateway, with_raw(model, "messages", r'[{"role":"user","content":"\ud83d"}]'))
    assert reply.status == 400, reply.body
    said_error(reply)


@pytest.mark.parametrize("name", ["nobody-has-this", "nobody/gpt-4o", "gigachat/", "x" * 100_000])
def test_an_unknown_model_is_not_found(gateway, name):
    reply = send(gateway, chat_body(name))
    assert reply.status in {400, 404}
    error = said_error(reply)
    assert error["param"] == "model"
    assert len(reply.body) < 2000


@pytest.mark.parametrize(
    "path", ["/index", "/v1", "/v1/unheard_of", "/v1/chat", "/%ff", "/nobody" + CHAT]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_not_found(gateway, path, method):
    reply = send(gateway, chat_body("openai/gpt-4o"), path=path, method=method)
    assert reply.status == 404
    said_error(reply)


def test_a_body_for_another_api_says_so(gateway):
    reply = send(gateway, {"model": "openai/gpt-4o", "input": "Hello"})
    assert reply.status == 400
    assert "Responses API" in said_error(reply)["message"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_another_method_is_refused(gateway, method):
    reply = send(gateway, chat_body("openai/gpt-4o"), method=method)
    assert reply.status == 405
    said_error(reply)


def read_reply(sock):
    """The whole answer on a socket that the gateway closes."""
    data = received(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    return Reply(int(head.split(b" ", 2)[1]), {}, body)


def resident():
    """Bytes of memory that this process holds: the gateway runs in it."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    pytest.fail("the system does not say how much memory is used")


def head(*lines):
    return "\r\n".join([f"POST {CHAT} HTTP/1.1", "host: gateway", *lines, "", ""]).encode()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("framing", ["content-length", "chunked"])
def test_a_huge_body_is_refused_without_being_held(gateway, framing):
    block = b" " * MEGABYTE
    if framing == "chunked":
        line, block = "transfer-encoding: chunked", b"%x\r\n%b\r\n" % (len(block), block)
    else:
        line = f"content-length: {100 * MEGABYTE}"
    before = resident()
    most = before
    with connected(gateway) as sock:
        sock.sendall(head(line, "content-type: application/json"))
        with suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(100):
                sock.sendall(block)
                most = max(most, resident())
        with suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        reply = read_reply(sock)
    assert reply.status == 413
    said_error(reply)
    assert most - before < 64 * MEGABYTE


@pytest.mark.parametrize("size", [40, 400])
def test_a_gzip_bomb_is_refused_without_being_unfolded(gateway, size):
    before = resident()
    bomb = gzip.compress(b" " * MEGABYTE, 9, mtime=0) * size
    reply = send(gateway, bomb, headers={"content-encoding": "gzip"})
    assert reply.status in {400, 413}
    said_error(reply)
    assert resident() - before < 64 * MEGABYTE


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", b"this is no gzip", 400),
        ("gzip", gzip.compress(b'{"model": "openai/gpt-4o"}', mtime=0)[:-6], 400),
        ("br", b"anything", 415),
    ],
)
def test_a_damaged_or_foreign_compression_is_refused(gateway, encoding, body, status):
    reply = send(gateway, body, headers={"content-encoding": encoding})
    assert reply.status == status
    said_error(reply)


@pytest.mark.parametrize(
    "lines", [["x-long: " + "x" * 200_000], [f"x-{n}: {'x' * 1000}" for n in range(200)]]
)
def test_a_huge_head_is_refused(gateway, lines):
    body = json.dumps(chat_body("openai/gpt-4o")).encode()
    with connected(gateway) as sock:
        with suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(head(*lines, f"content-length: {len(body)}", "connection: close") + body)
        reply = read_reply(sock)
    assert 400 <= reply.status < 500
    said_error(reply)
