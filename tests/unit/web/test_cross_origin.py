"""Calls from web pages: what a browser is told, on both ways of serving."""

import pytest

from dragoman.web.cross_origin import CrossOrigin
from support.echo_front import read_answer, serve_echo

BOTH = pytest.mark.parametrize("callbacks", [True, False], ids=["callbacks", "asgi"])
PAGE = b"https://app.example"


def rules(origins=("https://app.example",), *, credentials=False):
    return CrossOrigin(origins, ["POST"], ["authorization"], credentials=credentials)


@pytest.mark.parametrize(
    ("origins", "credentials", "allowed"),
    [
        (["*"], False, b"*"),
        (["*"], True, PAGE),
        (["https://app.example"], False, PAGE),
        (["https://app.example", "https://b.example"], True, PAGE),
        (["https://b.example"], False, None),
    ],
)
def test_who_is_let_in(origins, credentials, allowed):
    said = dict(rules(origins, credentials=credentials).headers([(b"origin", PAGE)]))
    assert said.get(b"access-control-allow-origin") == allowed
    assert (b"access-control-allow-credentials" in said) == (credentials and allowed is not None)
    if allowed != b"*":
        assert said[b"vary"] == b"Origin"


def test_a_call_from_no_page_gets_nothing():
    assert rules(["*"]).headers([(b"host", b"x")]) == []


def test_an_origin_cannot_write_headers_of_its_own():
    said = rules(["*"], credentials=True).headers([(b"origin", b"a\r\nset-cookie: b")])
    assert b"\n" not in dict(said)[b"access-control-allow-origin"]


def request(method, path, *headers, body=b""):
    lines = [b"%b %b HTTP/1.1" % (method, path), b"host: x", b"content-length: %d" % len(body)]
    return b"\r\n".join([*lines, *headers, b"", body])


@BOTH
async def test_conversations_pages_and_preflights(callbacks):
    origin = b"origin: https://app.example"
    async with serve_echo(callbacks=callbacks) as served:
        cross_origin = served.front.cross_origin = rules()
        config = served.server.config
        config.loaded_app = cross_origin.around(config.loaded_app)
        reader, writer = await served.connect()
        path = b"/v1/chat/completions"
        for _ in range(3):  # a repeated head is read once
            writer.write(request(b"POST", path, origin, body=b"{}"))
            status, headers, body = await read_answer(reader)
            assert (status, body) == (200, b"{}")
            assert headers["access-control-allow-origin"] == "https://app.example"
            assert "x-request-id" in headers["access-control-expose-headers"]
        writer.write(request(b"POST", path, b"origin: https://evil.example", body=b"{}"))
        status, headers, _ = await read_answer(reader)
        assert status == 200
        assert "access-control-allow-origin" not in headers
        writer.write(request(b"POST", path, body=b"{}"))
        _, headers, _ = await read_answer(reader)
        assert not [name for name in headers if name.startswith("access-control")]
        writer.write(request(b"GET", b"/v1/models", origin))
        _, headers, _ = await read_answer(reader)
        assert headers["access-control-allow-origin"] == "https://app.example"
        asks = (
            b"access-control-request-method: POST",
            b"access-control-request-headers: authorization",
        )
        writer.write(request(b"OPTIONS", path, origin, *asks))
        status, headers, _ = await read_answer(reader)
        assert status == 200
        assert "POST" in headers["access-control-allow-methods"]
        assert served.pipeline.exchanges.__len__() == 5
        writer.close()


async def test_a_page_can_read_why_it_was_refused():
    async with serve_echo(body_limit=10) as served:
        served.front.cross_origin = rules()
        sent = request(
            b"POST", b"/v1/chat/completions", b"origin: https://app.example", body=b"x" * 99
        )
        answer = await served.exchange_bytes(sent)
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"access-control-allow-origin: https://app.example" in answer
