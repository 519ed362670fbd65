"""Asks a running gateway whether it is alive; what a container's health check runs.

It knows nothing of the house and loads next to nothing, because it is started again and again.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

WAIT: Final = 4.0
"""Seconds; the health checks of the image give up after five."""


def is_alive(address: str, wait: float = WAIT) -> bool:
    """Whether ``GET /health`` at ``address`` (``http://127.0.0.1:8090``) is answered with 200.

    An address of the other scheme is tried too, for a gateway that serves HTTPS by a setting
    which is not ours to read. Its certificate is made out to a public name and not checked here:
    nothing is sent that would be worth reading.
    """
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    ways: dict[str, Callable[[], http.client.HTTPConnection]] = {
        "http": lambda: http.client.HTTPConnection(host, port, timeout=wait),
        "https": lambda: http.client.HTTPSConnection(host, port, timeout=wait, context=unchecked),
    }
    return any(_answers(ways[scheme]()) for scheme in sorted(ways, key=parts.scheme.__ne__))


def _answers(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
