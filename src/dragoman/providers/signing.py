"""What providers share in signing: credentials' ids, bearer lines, keys that do not expire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256

from dragoman.errors import GatewayError
from dragoman.providers.base import Secret


class FixedSigner:
    """Implements ``Signer`` over a header line that never changes; an empty one signs nothing."""

    def __init__(self, line: bytes) -> None:
        self._line = line

    def authorization(self) -> bytes | None:
        """See ``Signer``."""
        return self._line

    def when_ready(self, told: Callable[[GatewayError | None], None]) -> Callable[[], None]:
        """See ``Signer``."""
        return asyncio.get_running_loop().call_soon(told, None).cancel

    def rejected(self, authorization: bytes) -> bool:  # noqa: ARG002 - part of Signer
        """See ``Signer``: there is no other secret to try."""
        return False

    def stop(self) -> None:
        """See ``Signer``: nothing runs."""


def bearer(token: str) -> bytes:
    """The header line of RFC 6750, section 2.1."""
    return f"authorization: Bearer {token}\r\n".encode()


def credential_id(provider: str, secret: Secret) -> str:
    """See ``Credential.id``."""
    digest = sha256(secret.reveal().encode("utf-8", "surrogatepass")).hexdigest()
    return f"{provider}/{digest[:8]}"
