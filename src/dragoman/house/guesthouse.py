"""Builds from the settings what callers with credentials of their own need.

A guest's provider is one of its own, without any credential of the gateway and over a network
that shows no client certificate: what is not there cannot sign a guest's call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import structs

from dragoman.accounts.users import Keyring
from dragoman.clock import Clock, TimerWheel
from dragoman.guests import Guests, Keeping, Reception
from dragoman.house.networks import Networks, fetch_over
from dragoman.house.porters import Porters
from dragoman.house.suppliers import contour_of
from dragoman.pool.broker import Broker, PoolLimits
from dragoman.providers.base import Credential, Proof
from dragoman.providers.gigachat import GigaChat
from dragoman.providers.gigachat_credentials import read_brought
from dragoman.settings.tree import GigaChatSettings, ProviderBlock, QueueSettings
from dragoman.telemetry.counts import Gauge
from dragoman.upstream import Upstream


class Means(NamedTuple):
    """What guests share with the gateway's own calls."""

    clock: Clock
    wheel: TimerWheel
    queue: QueueSettings
    porters: Porters


def guests_of(name: str, block: ProviderBlock, networks: Networks, means: Means) -> Guests | None:
    """Who may come to provider ``name``; ``None`` where callers bring nothing."""
    if not isinstance(block, GigaChatSettings) or not block.callers_credentials:
        return None
    bare = networks.bare
    clock, wheel, queue, porters = means
    contour = structs.replace(contour_of(block), takes_unsigned=False, is_for_callers=True)
    fetch = fetch_over(Networks(bare, bare), block.base_url)
    hosts = GigaChat(name=name, credentials=(), fetch=fetch, clock=clock, contour=contour)

    def open_pool(credential: Credential, proof: Proof) -> Broker:
        limits = PoolLimits(
            in_flight=block.in_flight_for(proof.scope),
            max_queue=queue.max_length,
            max_wait=queue.max_wait,
            disables=False,
        )
        return Broker(name, (credential,), clock, wheel, limits)

    nobody = Broker(name, (), clock, wheel)
    porter = porters.hire(hosts, f"{name} (guests)")
    way = Upstream(hosts, nobody, bare.origin(block.base_url), passed_headers(block), porter)
    keeping = Keeping(most=block.callers_kept, idle=block.callers_idle)
    return Guests(hosts, way, open_pool, keeping, clock=clock, wheel=wheel)


def reception_of(
    keyring: Keyring, guests: Mapping[str, Guests], *, is_for_guests_only: bool
) -> Reception | None:
    """``None`` where no provider takes credentials of callers."""
    if not guests:
        return None
    return Reception(keyring, guests, read_brought, is_for_guests_only=is_for_guests_only)


def passed_headers(block: ProviderBlock) -> frozenset[bytes]:
    """Headers of the client that go on to this provider, in lower case."""
    return frozenset(header.encode() for header in block.passed_headers)


def guest_gauges(guests: Mapping[str, Guests]) -> Iterable[Gauge]:
    """How many guests are kept."""
    for name, kept in guests.items():
        for state, count in (("busy", kept.busy), ("idle", kept.idle)):
            yield Gauge(
                "dragoman_guests",
                "Credentials that callers brought, by whether a request is under way.",
                {"provider": name, "state": state},
                count,
            )
