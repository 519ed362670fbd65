"""Fetching what a caller points at, over real sockets."""

import asyncio
import socket
import threading

import pytest

from dragoman.clock import SystemClock
from dragoman.transport import outside as module
from dragoman.transport.outside import Outside, OutsideRules, VisitFailed
from support.descriptors import descriptors_come_back
from support.scripted_upstream import ScriptedUpstream, answering, chunked, ok, refusing_port

LIMIT = 1000
"""Bytes."""


@pytest.fixture
def visits(networks):
    made = []

    def make(**rules):
        chosen = OutsideRules(**{"allow_private": True, "seconds": 5.0, **rules})
        made.append(Outside(chosen, wheel=networks.wheel, clock=SystemClock(), agent="tester/1"))
        return made[-1]

    yield make
    for outside in made:
        outside.close()


@pytest.fixture
def names(monkeypatch):
    """A name server: name -> addresses, for each look-up in turn. 127.0.0.1 plays the public
    internet, every other address is private.
    """
    known = {}
    real = socket.getaddrinfo

    def getaddrinfo(host, port, **options):
        if host not in known:
            return real(host, port, **options)
        found = known[host].pop(0)
        return [(socket.AF_INET, 1, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(module.socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(module, "is_public", lambda address: address == "127.0.0.1")
    return known


def redirect(location, status=302):
    head = f"HTTP/1.1 {status} Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
    return head.encode()


async def why_not(visits, url):
    with pytest.raises(VisitFailed) as raised:
        await visits.get(url, LIMIT)
    return str(raised.value)


async def test_the_content_comes_whole_and_nothing_of_ours_goes_out(visits):
    async with ScriptedUpstream(answering(chunked(b"ab", b"c"))) as server, descriptors_come_back():
        assert await visits().get(f"{server.url}/a.png?x=1#top", LIMIT) == b"abc"
        (request,) = server.requests
    assert sorted(request.head.decode().split("\r\n")[:-2]) == [
        "GET /a.png?x=1 HTTP/1.1",
        "accept-encoding: identity",
        "accept: */*",
        f"host: 127.0.0.1:{server.port}",
        "user-agent: tester/1",
    ]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(visits, status):
    async with ScriptedUpstream(answering(redirect("b?c", status)), answering(ok(b"x"))) as server:
        assert await visits().get(f"{server.url}/a", LIMIT) == b"x"
        assert [each.head.split()[1] for each in server.requests] == [b"/a", b"/b?c"]


async def test_redirects_have_a_bound(visits):
    async with ScriptedUpstream(answering(redirect("/again"))) as server:
        assert "more than 2 redirects" in await why_not(visits(redirects=2), server.url)
        assert server.connections == 3


@pytest.mark.parametrize(
    "answer",
    [
        ok(bytes(LIMIT + 1)),
        chunked(bytes(600), bytes(600)),
        b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1200),
    ],
    ids=["with its length", "in chunks", "until the end"],
)
async def test_too_much_is_refused(visits, answer):
    async def script(peer):
        await peer.request()
        await peer.write(answer)
        peer.close()

    async with ScriptedUpstream(script) as server, descriptors_come_back():
        with pytest.raises(VisitFailed) as raised:
            await visits().get(server.url, LIMIT)
        assert raised.value.is_too_large


async def test_an_endless_answer_is_cut_off(visits):
    async def endless(peer):
        await peer.request()
        await peer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await peer.write(bytes(10_000))

    async with ScriptedUpstream(endless) as server:
        assert "more than 1,000 bytes" in await why_not(visits(), server.url)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"])
async def test_who_is_slow_is_left(visits, answer):
    async def slow(peer):
        await peer.request()
        await peer.write(answer)
        await peer.gone()

    async with ScriptedUpstream(slow) as server, descriptors_come_back():
        assert "did not come within 0.05 seconds" in await why_not(visits(seconds=0.05), server.url)


async def test_redirects_do_not_prolong_the_time(visits):
    async def slow(peer):
        await peer.request()
        await asyncio.sleep(0.05)
        await peer.write(redirect("/again"))

    async with ScriptedUpstream(slow) as server:
        said = await why_not(visits(seconds=0.12, redirects=1000), server.url)
        assert "0.12 seconds" in said
        assert server.connections < 10


@pytest.mark.parametrize("answer", [ok(b"")[:9], b"nonsense\r\n\r\n", b""])
async def test_what_is_no_answer_is_said(visits, answer):
    async def script(peer):
        await peer.request()
        await peer.write(answer)
        peer.close()

    async with ScriptedUpstream(script) as server:
        assert "could not be reached or broke off" in await why_not(visits(), server.url)


async def test_a_status_and_a_closed_port_are_said(visits):
    async with ScriptedUpstream(
        answering(b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n")
    ) as server:
        assert await why_not(visits(), server.url) == "127.0.0.1 answered with status 404"
    async with refusing_port() as port:
        assert "could not be reached" in await why_not(visits(), f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a",
        "file:///etc/passwd",
        "//example.org/a",
        "http://",
        "http://user:password@example.org/",
        "http://example.org/a b",
        "http://example.org/\r\nx: y",
        "http://[::1",
        "http://example.org:0/",
        "http://example.org/\u00e9",
    ],
)
async def test_what_is_no_url_to_fetch_is_said_without_it(visits, url):
    said = await why_not(visits(), url)
    assert "no URL to fetch" in said
    assert "password" not in said


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "localhost", "0.0.0.0"]
)
async def test_however_it_is_written_this_machine_is_not_public(visits, host):
    async with ScriptedUpstream() as server:
        said = await why_not(visits(allow_private=False), f"http://{host}:{server.port}/")
        assert said == f"{host} is not on the public internet"
        assert server.connections == 0


async def test_ipv6_forms_of_this_machine_are_not_public(visits):
    for host in ("::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::7f00:1", "::"):
        said = await why_not(visits(allow_private=False), f"http://[{host}]:1/")
        assert said.endswith("is not on the public internet")


async def test_a_name_that_changes_its_mind_gains_nothing(visits, names):
    """DNS rebinding: good when it is looked up, bad a moment later."""
    names["rebind.test"] = [["127.0.0.1"], ["127.0.0.2"]]
    async with (
        ScriptedUpstream(answering(ok(b"good"))) as server,
        ScriptedUpstream(host="127.0.0.2") as victim,
    ):
        outside = visits(allow_private=False)
        url = f"http://rebind.test:{server.port}/"
        assert await outside.get(url, LIMIT) == b"good"
        assert names["rebind.test"] == [["127.0.0.2"]], "one look-up for one connection"
        bad = f"http://rebind.test:{victim.port}/"
        assert "not on the public internet" in await why_not(outside, bad)
        assert victim.connections == 0


async def test_one_bad_address_among_good_ones_is_enough(visits, names):
    names["mixed.test"] = [["127.0.0.1", "127.0.0.2"]]
    async with ScriptedUpstream() as server:
        said = await why_not(visits(allow_private=False), f"http://mixed.test:{server.port}/")
        assert said == "mixed.test is not on the public internet"
        assert server.connections == 0


@pytest.mark.parametrize(
    "target", ["http://127.0.0.2:{}/", "http://inner.test:{}/", "//127.0.0.2:{}/"]
)
async def test_a_redirect_leads_nowhere_private(visits, names, target):
    names["inner.test"] = [["127.0.0.2"]]
    async with ScriptedUpstream(host="127.0.0.2") as victim:
        location = redirect(target.format(victim.port))
        async with ScriptedUpstream(answering(location)) as server:
            said = await why_not(visits(allow_private=False), server.url)
        assert "not on the public internet" in said
        assert victim.connections == 0


@pytest.mark.parametrize(
    "target", ["ftp://127.0.0.1/", "file:///etc/passwd", "http://a:b@c/", "http://[::1"]
)
async def test_a_redirect_is_checked_like_any_url(visits, target):
    async with ScriptedUpstream(answering(redirect(target))) as server:
        assert "no URL to fetch" in await why_not(visits(), server.url)


async def test_only_allowed_hosts_are_asked(visits, names):
    names["a.good.test"] = [["127.0.0.1"]]
    async with ScriptedUpstream(answering(ok(b"x"))) as server:
        chosen = visits(hosts=("*.good.test", "exact.test"))
        assert await chosen.get(f"http://a.good.test:{server.port}/", LIMIT) == b"x"
        for host in ("good.test", "evilgood.test", "a.exact.test", "127.0.0.1"):
            said = await why_not(chosen, f"http://{host}:{server.port}/")
            assert said == f"the operator does not allow to fetch from {host}"
        assert server.connections == 1


async def test_fetching_can_be_closed(visits):
    assert "does not allow" in await why_not(visits(is_closed=True), "http://example.org/")


async def test_who_stops_waiting_closes_the_connection(visits):
    async def silent(peer):
        await peer.request()
        await peer.gone()

    async with ScriptedUpstream(silent) as server, descriptors_come_back():
        task = asyncio.ensure_future(visits().get(server.url, LIMIT))
        while not server.requests:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()


async def test_slow_names_of_callers_keep_no_other_name_waiting(visits, monkeypatch):
    answered = threading.Event()

    def getaddrinfo(host, port, **options):
        answered.wait(10)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(module.socket, "getaddrinfo", getaddrinfo)
    outside = visits()
    tasks = [asyncio.ensure_future(outside.get(f"http://slow-{n}.test/", LIMIT)) for n in range(64)]
    await asyncio.sleep(0.01)
    loop = asyncio.get_running_loop()
    assert await asyncio.wait_for(loop.run_in_executor(None, lambda: "free"), 5) == "free"
    answered.set()
    failures = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(failure) for failure in failures} == {VisitFailed}
