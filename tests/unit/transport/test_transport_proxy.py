"""Through HTTP CONNECT and SOCKS5 proxies, written here in a few lines each."""

import asyncio
import base64
import contextlib
import ssl
import struct

import pytest
import trustme

from dragoman.errors import UpstreamUnavailable
from dragoman.transport.calls import Timeouts
from dragoman.transport.proxy import read_proxy
from dragoman.transport.tls import TlsSettings
from support.descriptors import descriptors_come_back
from support.recording_listener import RecordingListener
from support.scripted_upstream import ScriptedUpstream, answering, ok, refusing_port

NAMES = {"upstream.invalid": "127.0.0.1"}
"""What only the proxies can resolve."""


async def copy(reader, writer):
    try:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()


async def splice(reader, writer, host, port):
    far_reader, far_writer = await asyncio.open_connection(NAMES.get(host, host), port)
    await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))


class Proxy:
    def __init__(self, scheme, *, credentials=None, refuses=False):
        self.scheme = scheme
        self.credentials = credentials
        self.refuses = refuses
        self.asked = []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        self.tasks = set()
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.sleep(0.01)

    def url(self, credentials=""):
        return f"{self.scheme}://{credentials}127.0.0.1:{self.port}"

    async def serve(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        try:
            if self.scheme == "http":
                await self.connect(reader, writer)
            else:
                await self.socks(reader, writer)
        except (EOFError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def connect(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split()
        assert method == "CONNECT"
        self.asked.append(target)
        if self.credentials is not None:
            wanted = base64.b64encode(self.credentials.encode()).decode()
            if f"Basic {wanted}".encode() not in head:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                return
        if self.refuses:
            writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        host, _, port = target.rpartition(":")
        await splice(reader, writer, host, int(port))

    async def socks(self, reader, writer):
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        if self.credentials is not None:
            if 2 not in methods:
                writer.write(b"\x05\xff")
                return
            writer.write(b"\x05\x02")
            _, size = await reader.readexactly(2)
            user = await reader.readexactly(size)
            (size,) = await reader.readexactly(1)
            password = await reader.readexactly(size)
            right = (user + b":" + password).decode() == self.credentials
            writer.write(b"\x01\x00" if right else b"\x01\x01")
            if not right:
                return
        else:
            writer.write(b"\x05\x00")
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            (size,) = await reader.readexactly(1)
            host = (await reader.readexactly(size)).decode()
        else:
            host = ".".join(map(str, await reader.readexactly(4)))
        (port,) = struct.unpack(">H", await reader.readexactly(2))
        self.asked.append(f"{host}:{port}")
        if self.refuses:
            writer.write(b"\x05\x05\x00\x01\0\0\0\0\0\0")
            return
        writer.write(b"\x05\x00\x00\x01\0\0\0\0\0\0")
        await splice(reader, writer, host, port)


async def outcome(network, url, request):
    listener = RecordingListener()
    network.origin(url).send(request, listener)
    return await listener.finished()


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_plain_upstream_is_reached_and_the_proxy_resolves_its_name(networks, post, scheme):
    async with ScriptedUpstream(answering(ok(b"x"))) as upstream, Proxy(scheme) as proxy:
        network = networks(proxy=proxy.url())
        url = f"http://upstream.invalid:{upstream.port}"
        for _ in range(2):
            assert (await outcome(network, url, post())).body == b"x"
        assert proxy.asked == [f"upstream.invalid:{upstream.port}"]
        assert upstream.connections == 1
        await network.close()


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_tls_is_spoken_with_the_upstream_through_the_proxy(networks, post, scheme, tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("upstream.invalid").configure_cert(context)
    async with (
        ScriptedUpstream(answering(ok(b"x")), context=context) as upstream,
        Proxy(scheme) as proxy,
    ):
        network = networks(proxy=proxy.url(), tls=TlsSettings(ca_bundle=str(tmp_path / "ca.pem")))
        listener = await outcome(network, f"https://upstream.invalid:{upstream.port}", post())
        assert (listener.body, listener.error) == (b"x", None)
        await network.close()


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_with_a_password(networks, post, scheme):
    async with (
        ScriptedUpstream(answering(ok(b"x"))) as upstream,
        Proxy(scheme, credentials="ann:s3cr:t@") as proxy,
    ):
        network = networks(proxy=proxy.url("ann:s3cr%3At%40@"))
        assert (await outcome(network, upstream.url, post())).body == b"x"
        await network.close()
        async with descriptors_come_back():
            wrong = networks(proxy=proxy.url("ann:hunter2@"))
            listener = await outcome(wrong, upstream.url, post())
        assert isinstance(listener.error, UpstreamUnavailable)
        for secret in ("hunter2", "ann"):
            assert secret not in listener.error.message
            assert secret not in listener.error.detail
        assert "proxy 127.0.0.1" in listener.error.detail
        assert "127.0.0.1" not in listener.error.message


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_refuses_is_unavailable(networks, post, scheme):
    async with Proxy(scheme, refuses=True) as proxy, descriptors_come_back():
        listener = await outcome(networks(proxy=proxy.url()), "http://upstream.invalid", post())
        assert isinstance(listener.error, UpstreamUnavailable)
        assert f"proxy 127.0.0.1:{proxy.port}" in listener.error.detail


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_is_not_there_is_unavailable(networks, post, scheme):
    async with refusing_port() as port:
        network = networks(proxy=f"{scheme}://ann:hunter2@127.0.0.1:{port}")
        listener = await outcome(network, "http://upstream.invalid", post())
    assert isinstance(listener.error, UpstreamUnavailable)
    assert "hunter2" not in listener.error.detail


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("nonsense", [b"", b"SSH-2.0-x\r\n\r\n", b"\xff\xfe\xfd\xfc\r\n\r\n"])
async def test_something_that_is_no_proxy_is_unavailable(networks, post, scheme, nonsense):
    async def talks(peer):
        await peer.reader.read(1)
        await peer.write(nonsense)

    async with ScriptedUpstream(talks) as other, descriptors_come_back():
        network = networks(proxy=f"{scheme}://127.0.0.1:{other.port}")
        listener = await outcome(network, "http://upstream.invalid", post())
        assert isinstance(listener.error, UpstreamUnavailable)


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_stands_still_times_out(networks, post, scheme):
    async def silent(peer):
        await peer.gone()

    async with ScriptedUpstream(silent) as other, descriptors_come_back():
        network = networks(
            proxy=f"{scheme}://127.0.0.1:{other.port}", timeouts=Timeouts(connect=0.05)
        )
        listener = await outcome(network, "http://upstream.invalid", post())
        assert listener.error.code == "connect"


def test_a_proxy_url_is_read_and_hides_its_password():
    proxy = read_proxy("socks5h://ann:s%40x@[::1]")
    assert (proxy.host, proxy.port) == ("::1", 1080)
    assert (proxy.username, proxy.password) == ("ann", "s@x")
    assert "s@x" not in repr(proxy)
    assert read_proxy("http://proxy.example/").port == 8080


@pytest.mark.parametrize(
    "url",
    [
        "",
        "proxy.example:8080",
        "https://ann:hunter2@p",
        "socks4://p",
        "http://",
        "http://p/x",
        "http://p:0",
        "http://p:99999",
        "http://p:x",
        "http://p q",
        "http://p?x=hunter2",
    ],
)
def test_a_bad_proxy_url_is_refused_without_repeating_it(url):
    with pytest.raises(ValueError, match="URL") as raised:
        read_proxy(url)
    assert "hunter2" not in str(raised.value)
