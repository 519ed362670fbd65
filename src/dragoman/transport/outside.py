"""GET of a URL that a caller named: nothing about it is trusted.

The host's name is looked up once for each step, every address that it has must be public, and the
connection goes to exactly these addresses: a name that changes its mind between look-up and
connection (DNS rebinding) gains nothing. A redirect is a new URL with the same checks. Size,
time and the number of redirects have bounds; no connection is kept; no proxy is used, for behind
one the address could not be chosen; cookies, credentials and certificates of ours never go out.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Final
from urllib.parse import urljoin

from msgspec import Struct

from dragoman.clock import Clock, TimerWheel
from dragoman.errors import UpstreamError, UpstreamUnavailable
from dragoman.transport.addresses import Address, read_url, request_head
from dragoman.transport.calls import Call, Head, Timeouts
from dragoman.transport.dialing import Dialer, Place
from dragoman.transport.fetch import Fetched
from dragoman.transport.pool import OriginPool
from dragoman.transport.public_addresses import is_public
from dragoman.transport.tls import TlsSettings, tls_context

LOOK_UPS: Final = 4
"""Names that are looked up at a time."""
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class OutsideRules(Struct, frozen=True, kw_only=True):
    """What may be fetched; times are in seconds."""

    seconds: float = 10.0
    """For the whole visit, redirects included."""
    redirects: int = 3
    hosts: Sequence[str] = ()
    """The only hosts that may be asked, ``*.example.org`` meaning every host below that name;
    empty allows all."""
    is_closed: bool = False
    """Nothing may be fetched at all."""
    allow_private: bool = False
    """Do not look at addresses. For tests, and for gateways whose callers are trusted."""


class VisitFailed(Exception):
    """There is no content; the text says why, is fit for the caller and names no more than the
    host.
    """

    def __init__(self, why: str, *, is_too_large: bool = False) -> None:
        super().__init__(why)
        self.is_too_large = is_too_large


class Outside:
    """Fetches what callers point at. Belongs to one event loop."""

    def __init__(self, rules: OutsideRules, *, wheel: TimerWheel, clock: Clock, agent: str) -> None:
        """``agent`` is the value of ``user-agent``."""
        self._rules = rules
        self._wheel = wheel
        self._clock = clock
        self._headers = {"user-agent": agent, "accept": "*/*"}
        self._context: ssl.SSLContext | None = None
        self._threads = ThreadPoolExecutor(LOOK_UPS, thread_name_prefix="outside")

    def close(self) -> None:
        """Nothing more will be fetched; harmless when repeated."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def get(self, url: str, limit: int) -> bytes:
        """The content behind ``url``, at most ``limit`` bytes. Raises ``VisitFailed``."""
        try:
            async with asyncio.timeout(self._rules.seconds):
                return await self._follow(url, limit)
        except TimeoutError:
            raise VisitFailed(f"it did not come within {self._rules.seconds:g} seconds") from None

    async def _follow(self, url: str, limit: int) -> bytes:
        for _ in range(self._rules.redirects + 1):
            address = self._checked(url)
            got = await self._ask(address, url, limit)
            location = got.headers.get("location")
            if got.status in REDIRECTS and location:
                url = _joined(url, location)
            elif got.status == 200:
                return got.body
            else:
                raise VisitFailed(f"{address.host} answered with status {got.status}")
        raise VisitFailed(f"there are more than {self._rules.redirects} redirects")

    def _checked(self, url: str) -> Address:
        if self._rules.is_closed:
            raise VisitFailed("the operator does not allow to fetch from URLs")
        try:
            address, _ = read_url(url)
        except ValueError:
            raise VisitFailed(
                "this is no URL to fetch: it needs http or https and a host, and may hold neither"
                " a user name nor characters that are not percent-encoded"
            ) from None
        if self._rules.hosts and not any(_fits(address.host, rule) for rule in self._rules.hosts):
            raise VisitFailed(f"the operator does not allow to fetch from {address.host}")
        return address

    async def _ask(self, address: Address, url: str, limit: int) -> Fetched:
        """One request over a connection of its own."""
        if address.secure and self._context is None:
            self._context = tls_context(TlsSettings())
        seconds = self._rules.seconds
        dialer = OutsideDialer(address, context=self._context, timeout=seconds)
        dialer.must_be_public = not self._rules.allow_private
        dialer.threads = self._threads
        timeouts = Timeouts(connect=seconds, first_byte=seconds, idle=seconds, total=seconds)
        pool = OriginPool(dialer, wheel=self._wheel, clock=self._clock, timeouts=timeouts)
        visitor = _Visitor(address.host, limit)
        flight = pool.send(Call(request_head("GET", url, self._headers), ()), visitor)
        try:
            return await visitor.answer
        finally:
            flight.abort()
            await pool.close()


class OutsideDialer(Dialer):
    """Connects to addresses of the public internet only, unless ``must_be_public`` is taken off."""

    must_be_public = True
    threads: Executor | None = None
    """Where names are looked up: the time that takes is the choice of whoever named them, and must
    not keep the names of upstreams waiting."""

    async def _addresses(self) -> Sequence[Place]:
        """Every address must be public: a name with one good and one bad address is a trap."""
        host, port = self.address.host, self.address.port
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self.threads, ask)
        for *_, address in found:
            if self.must_be_public and not is_public(str(address[0])):
                raise UpstreamUnavailable(
                    "The address is not public.", code=NOT_PUBLIC, detail=str(address[0])
                )
        return [Place(entry[0], entry[4]) for entry in found]


NOT_PUBLIC: Final = "not_public"


class _Visitor:
    """A ``Listener`` that keeps the answer, and gives up as soon as it is no use."""

    def __init__(self, host: str, limit: int) -> None:
        self.answer: asyncio.Future[Fetched] = asyncio.get_running_loop().create_future()
        self._host = host
        self._limit = limit
        self._size = 0
        self._head = Head(0, {})
        self._parts: list[bytes] = []

    def head(self, head: Head) -> None:
        """See ``Listener``. Of anything but a 200 only the head matters."""
        self._head = head
        if head.status != 200 and not self.answer.done():
            self.answer.set_result(Fetched(head.status, head.headers, b""))
        length = head.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._limit:
            self._too_large()

    def data(self, block: bytes) -> None:
        """See ``Listener``."""
        self._size += len(block)
        if self._size > self._limit:
            self._parts.clear()
            self._too_large()
        else:
            self._parts.append(block)

    def end(self, block: bytes) -> None:
        """See ``Listener``."""
        self.data(block)
        if not self.answer.done():
            body = b"".join(self._parts)
            self.answer.set_result(Fetched(self._head.status, self._head.headers, body))

    def lost(self, error: UpstreamError) -> None:
        """See ``Listener``. The details stay here: they would map the operator's network."""
        if error.code == NOT_PUBLIC:
            self._fail(VisitFailed(f"{self._host} is not on the public internet"))
        else:
            self._fail(VisitFailed(f"{self._host} could not be reached or broke off"))

    def _too_large(self) -> None:
        self._fail(VisitFailed(f"it has more than {self._limit:,} bytes", is_too_large=True))

    def _fail(self, why: VisitFailed) -> None:
        if not self.answer.done():
            self.answer.set_exception(why)


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:  # brackets that are none
        return location


def _fits(host: str, rule: str) -> bool:
    host, rule = host.lower().rstrip("."), rule.lower()
    return host.endswith(rule[1:]) if rule.startswith("*.") else host == rule
