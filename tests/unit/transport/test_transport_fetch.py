"""One-shot requests and the URLs and heads they are made of."""

import asyncio

import pytest

from dragoman.errors import UpstreamBroken, UpstreamUnavailable
from dragoman.transport.addresses import Address, read_url, request_head
from dragoman.transport.tls import BadTlsSettings, TlsSettings
from support.descriptors import descriptors_come_back
from support.polling import until
from support.scripted_upstream import ScriptedUpstream, answering, chunked, ok


async def test_a_whole_answer(networks):
    async with ScriptedUpstream(answering(chunked(b"{}", headers=b"x-a: b\r\n"))) as upstream:
        network = networks()
        got = await network.fetch("POST", f"{upstream.url}/t?q=1", {"x-key": "v"}, b"a=b")
        assert (got.status, got.headers["x-a"], got.body) == (200, "b", b"{}")
        (request,) = upstream.requests
        assert request.head.decode().split("\r\n")[:-2] == [
            "POST /t?q=1 HTTP/1.1",
            f"host: 127.0.0.1:{upstream.port}",
            "accept-encoding: identity",
            "x-key: v",
            "content-length: 3",
        ]
        assert request.body == b"a=b"


async def test_pools_are_kept_by_origin(networks):
    async with ScriptedUpstream(answering(ok(b"x"))) as upstream:
        network = networks()
        for path in ("/a", "/b"):
            await network.fetch("GET", upstream.url + path, {})
        assert upstream.connections == 1
        assert network.origin(upstream.url + "/c").reused == 1
        assert network.origin("https://h:443/x") is network.origin("https://h")
        assert network.origin("https://h") is not network.origin("http://h")


async def test_redirects_and_errors_are_answers_and_are_not_followed(networks):
    redirect = b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"
    denied = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno"
    async with ScriptedUpstream(answering(redirect, denied)) as upstream:
        network = networks()
        got = await network.fetch("GET", upstream.url, {})
        assert (got.status, got.headers["location"]) == (302, "/elsewhere")
        got = await network.fetch("GET", upstream.url, {})
        assert (got.status, got.body) == (401, b"no")


async def test_a_body_is_bounded(networks):
    async with ScriptedUpstream(answering(ok(b"x" * 1000))) as upstream, descriptors_come_back():
        network = networks()
        assert len((await network.fetch("GET", upstream.url, {}, limit=1000)).body) == 1000
        with pytest.raises(UpstreamBroken):
            await network.fetch("GET", upstream.url, {}, limit=999)
        await network.close()


async def test_an_endless_body_is_cut_off(networks):
    async def endless(peer):
        await peer.request()
        await peer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await peer.write(b"x" * 10_000)

    async with ScriptedUpstream(endless) as upstream, descriptors_come_back():
        with pytest.raises(UpstreamBroken):
            await networks().fetch("GET", upstream.url, {}, limit=50_000)


async def test_a_lost_answer_is_raised(networks):
    async def closes(peer):
        await peer.request()

    async with ScriptedUpstream(closes) as upstream:
        with pytest.raises(UpstreamUnavailable):
            await networks().fetch("GET", upstream.url, {})


async def test_cancelling_closes_the_connection(networks):
    async def silent(peer):
        await peer.request()
        await peer.gone()

    async with ScriptedUpstream(silent) as upstream, descriptors_come_back():
        task = asyncio.create_task(networks().fetch("GET", upstream.url, {}))
        await until(lambda: upstream.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_bad_files_and_proxies_are_found_when_the_network_is_made(networks):
    with pytest.raises(BadTlsSettings, match="/nowhere"):
        networks(tls=TlsSettings(ca_bundle="/nowhere"))
    with pytest.raises(ValueError, match="proxy"):
        networks(proxy="ftp://x")


URLS = {
    "https://api.example.com/v1": (
        Address("https", "api.example.com", 443),
        "/v1",
        "api.example.com",
    ),
    "http://h": (Address("http", "h", 80), "/", "h"),
    "http://h:8080/a?b=c#d": (Address("http", "h", 8080), "/a?b=c", "h:8080"),
    "https://[2001:db8::1]/x": (Address("https", "2001:db8::1", 443), "/x", "[2001:db8::1]"),
    "http://[::1]:81": (Address("http", "::1", 81), "/", "[::1]:81"),
    "HTTPS://API.Example.COM": (Address("https", "api.example.com", 443), "/", "api.example.com"),
    "https://пример.рф/": (
        Address("https", "xn--e1afmkfd.xn--p1ai", 443),
        "/",
        "xn--e1afmkfd.xn--p1ai",
    ),
}


@pytest.mark.parametrize(("url", "parts"), URLS.items())
def test_a_url_is_taken_apart(url, parts):
    address, target = read_url(url)
    assert (address, target, address.host_header) == parts


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h/x",
        "//h",
        "ftp://h",
        "file:///etc/passwd",
        "http://",
        "http://:80",
        "http://user@h",
        "http://user:hunter2@h",
        "http://@h",
        "http://h:0",
        "http://h:99999",
        "http://h:port",
        "http://h /x",
        "http://h/\r\nx: y",
        "http://h\\@evil",
        "http://[::1",
        "http://[zz]/",
        "http://h/\u00e9",
        "http://" + "\u00e9" * 300,
    ],
)
def test_a_bad_url_is_refused_without_repeating_it(url):
    with pytest.raises(ValueError, match="URL") as raised:
        read_url(url)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GE T", {}),
        ("GET\r\n", {}),
        ("GET", {"a b": "c"}),
        ("GET", {"a": "hunter2\r\nx: y"}),
        ("GET", {"a": "hunter2\n"}),
        ("GET", {"a": "\x00"}),
        ("GET", {"a": "ключ"}),
        ("GET", {"Content-Length": "3"}),
        ("GET", {"Transfer-Encoding": "chunked"}),
        ("GET", {"connection": "close"}),
        ("GET", {"": "x"}),
    ],
)
def test_a_head_cannot_be_smuggled_into(method, headers):
    with pytest.raises(ValueError, match=r"header|method") as raised:
        request_head(method, "http://h/", headers)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_host_and_accept_encoding_may_be_given():
    head = request_head("GET", "http://h/", {"Host": "front", "Accept-Encoding": "gzip"})
    assert head == b"GET / HTTP/1.1\r\nHost: front\r\nAccept-Encoding: gzip\r\n"
