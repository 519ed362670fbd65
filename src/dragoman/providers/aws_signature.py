"""AWS Signature Version 4, the part of it that calls with a body in hand need. Pure.

Source: AWS's documentation, "Create a signed AWS API request". Temporary credentials send their
session token in a header that is signed with the rest. The path is percent-encoded once more
than it is sent, as for every service but S3.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, unquote

from msgspec import Struct

ALGORITHM: Final = "AWS4-HMAC-SHA256"
_PATH_SAFE: Final = "/-._~"
_QUERY_SAFE: Final = "-._~"


class AwsKey(Struct, frozen=True):
    """What signs."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"AwsKey({self.access_key_id!r})"


class Scope(Struct, frozen=True):
    """Where a signature counts."""

    region: str
    service: str


class Request(Struct, frozen=True):
    """What is signed."""

    method: str
    path: str
    """As it is sent, percent-encoded."""
    headers: Mapping[str, str]
    """Names in lower case; ``host`` among them. All of them are signed."""
    body: bytes = b""
    query: str = ""
    """As it is sent, without ``?``."""


class AwsSigner:
    """Signs with one key for one scope; what is the same for a day is computed once a day."""

    def __init__(self, key: AwsKey, scope: Scope) -> None:
        self._key = key
        self._scope = scope
        self._day = ""
        self._signing_key = b""

    def sign(self, request: Request, now: float) -> dict[str, str]:
        """The headers to send beside those of ``request``; ``now`` is in Unix seconds."""
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        key, scope = self._key, self._scope
        added = {"x-amz-date": moment}
        if key.session_token is not None:
            added["x-amz-security-token"] = key.session_token
        headers = {**request.headers, **added}
        names = ";".join(sorted(headers))
        day = moment[:8]
        credential_scope = f"{day}/{scope.region}/{scope.service}/aws4_request"
        digest = hashlib.sha256(_canonical(request, headers, names).encode()).hexdigest()
        to_sign = f"{ALGORITHM}\n{moment}\n{credential_scope}\n{digest}"
        signature = hmac.digest(self._key_of(day), to_sign.encode(), "sha256").hex()
        added["authorization"] = (
            f"{ALGORITHM} Credential={key.access_key_id}/{credential_scope},"
            f" SignedHeaders={names}, Signature={signature}"
        )
        return added

    def _key_of(self, day: str) -> bytes:
        if day != self._day:
            derived = ("AWS4" + self._key.secret_access_key).encode()
            for part in (day, self._scope.region, self._scope.service, "aws4_request"):
                derived = hmac.digest(derived, part.encode(), "sha256")
            self._day, self._signing_key = day, derived
        return self._signing_key


def _canonical(request: Request, headers: Mapping[str, str], names: str) -> str:
    lines = "".join(f"{name}:{_squeezed(headers[name])}\n" for name in sorted(headers))
    path = quote(_normalised(request.path), safe=_PATH_SAFE)
    body = hashlib.sha256(request.body).hexdigest()
    query = _canonical_query(request.query)
    return f"{request.method}\n{path}\n{query}\n{lines}\n{names}\n{body}"


def _normalised(path: str) -> str:
    """Without dot segments (RFC 3986, section 5.2.4) and, as AWS has it, empty ones."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    return "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    pairs = []
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        pairs.append((_encoded(name), _encoded(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encoded(text: str) -> str:
    """Percent-encoded once, however it was spelled."""
    return quote(unquote(text), safe=_QUERY_SAFE)


def _squeezed(value: str) -> str:
    """Runs of blanks count as one, those around it not at all."""
    return " ".join(value.split())
