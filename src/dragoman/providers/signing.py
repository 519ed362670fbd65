"""What providers share in signing: credentials' ids, bearer lines, keys that do not expire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from hashlib import sha256

from dragoman.errors import GatewayError, UpstreamUnavailable
from dragoman.providers.base import Secret, Signer


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


async def authorized(signer: Signer) -> bytes:
    """The header lines of ``signer``, waited for where that is necessary. Raises
    ``GatewayError``.
    """
    lines = signer.authorization()
    if lines is not None:
        return lines
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def told(error: GatewayError | None) -> None:
        if ready.done():
            return
        if error is not None:
            ready.set_exception(error)
        else:
            ready.set_result(None)

    withdraw = signer.when_ready(told)
    try:
        await ready
    finally:
        withdraw()
    lines = signer.authorization()
    if lines is None:
        raise UpstreamUnavailable("The provider's access token expired as it was fetched.")
    return lines


def bearer(token: str) -> bytes:
    """The header line of RFC 6750, section 2.1."""
    return f"authorization: Bearer {token}\r\n".encode()


def credential_id(provider: str, secret: Secret) -> str:
    """See ``Credential.id``."""
    digest = sha256(secret.reveal().encode("utf-8", "surrogatepass")).hexdigest()
    return f"{provider}/{digest[:8]}"


def signed_headers(authorization: bytes) -> Sequence[tuple[str, str]]:
    """Header lines as names and values, for ``Fetch``."""
    lines = authorization.decode("latin-1").split("\r\n")
    pairs = [line.partition(": ") for line in lines if line]
    return [(name, value) for name, _, value in pairs]
