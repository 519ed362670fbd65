"""Where clients find a gateway that is set to listen somewhere."""

from __future__ import annotations

from typing import Final

from dragoman.settings.server import ServerSettings

_OWN: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


def address_for_clients(server: ServerSettings) -> str:
    """As clients on this machine write it: ``http://127.0.0.1:8090``."""
    scheme = "https" if server.tls_certificate else "http"
    host = server.host.strip("[]")
    host = _OWN.get(host, host)
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{server.port}"
