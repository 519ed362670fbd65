"""Builds, from the settings of a provider, the networks over which it is reached.

There are two where a client certificate is configured. It is shown to the API alone: not to the
host that sells access tokens, and not for calls that others than the gateway itself sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from msgspec import structs

from dragoman.clock import Clock, TimerWheel
from dragoman.providers.base import Fetch
from dragoman.settings.tree import ProviderBlock
from dragoman.transport.calls import Timeouts
from dragoman.transport.fetch import Network
from dragoman.transport.tls import TlsSettings


class Networks(NamedTuple):
    """How one provider is reached."""

    api: Network
    """Shows the client certificate, if there is one."""
    bare: Network
    """Never shows one; the same as ``api`` where there is none."""

    async def close(self) -> None:
        """Close both."""
        await self.api.close()
        if self.bare is not self.api:
            await self.bare.close()


def networks_of(block: ProviderBlock, clock: Clock, wheel: TimerWheel) -> Networks:
    """Opens nothing. Raises ``ValueError`` (``BadTlsSettings``) for files that are no good."""

    def network(tls: TlsSettings) -> Network:
        return Network(
            wheel=wheel,
            clock=clock,
            # None for nothing out of the ordinary: a context is then made when it is needed.
            tls=tls if tls != TlsSettings() else None,
            proxy=block.proxy.get_secret_value() if block.proxy else None,
            timeouts=Timeouts(**block.timeouts.model_dump()),
        )

    tls = _tls(block)
    api = network(tls)
    if tls.client_certificate is None:
        return Networks(api, api)
    bare = structs.replace(tls, client_certificate=None, client_key=None, client_key_password=None)
    return Networks(api, network(bare))


def fetch_over(networks: Networks, base_url: str) -> Fetch:
    """Fetches over ``api`` from the host of ``base_url``, over ``bare`` from every other."""
    origin = urlsplit(base_url)[:2]

    async def fetch(
        method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        network = networks.api if urlsplit(url)[:2] == origin else networks.bare
        fetched = await network.fetch(method, url, dict(headers), body)
        return fetched.status, fetched.headers, fetched.body

    return fetch


def _tls(block: ProviderBlock) -> TlsSettings:
    """What the settings say about certificates."""
    password = block.client_key_password
    return TlsSettings(
        ca_bundle=str(block.ca_bundle) if block.ca_bundle else None,
        client_certificate=str(block.client_certificate) if block.client_certificate else None,
        client_key=str(block.client_key) if block.client_key else None,
        client_key_password=password.get_secret_value() if password else None,
        verify=block.verify_tls,
    )
