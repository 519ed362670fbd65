"""Ids of files that say where a file lies and are good for one caller only.

A file belongs to the credential that uploaded it, and to the caller. Both are in the id that the
caller gets, sealed with a key drawn from that credential: nothing has to be remembered, an id
outlives a restart, and one that was made up or was another caller's is no id at all.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

from msgspec import Struct

from dragoman.errors import NotFound
from dragoman.providers.base import Credential, Provider

_PREFIX: Final = "file-"
_SEAL: Final = 16
"""Bytes."""
_LONGEST: Final = 1024
_TAG: Final = re.compile(r"dg-([0-9a-f]{16})-")
_SAFE: Final = re.compile(r"[A-Za-z0-9._~-]+")
"""What may go into an upstream's path."""


OWN: Final = "own"
"""In an id, for a credential that callers bring."""
Own = Callable[[str], tuple[Provider, Credential]]
"""What an id says of a credential -> the caller's own. Raises ``KeyError`` if it is another."""


class Located(Struct, frozen=True):
    """A file where it lies."""

    provider: Provider
    credential: Credential
    id: str
    """The upstream's own."""


class FileIds:
    """Ids for the callers of one gateway."""

    def __init__(self, providers: Mapping[str, Provider], fallback: bytes) -> None:
        """``fallback`` takes the place of a credential's key where there is no secret."""
        self._credentials = {
            credential.id: (provider, credential)
            for provider in providers.values()
            for credential in provider.credentials
        }
        self._fallback = fallback

    def write(self, credential: Credential, upstream_id: str, tenant: bytes) -> str:
        """The id that ``tenant`` gets for a file that ``credential`` keeps."""
        told = f"{self._label(credential)} {upstream_id}".encode()
        sealed = self._mac(credential, told, tenant) + told
        return _PREFIX + urlsafe_b64encode(sealed).decode().rstrip("=")

    def read(self, file_id: str, tenant: bytes, own: Own | None = None) -> Located:
        """The file of that id; for a caller with a credential of its ``own``, only if that one
        keeps it. Raises ``NotFound``.
        """
        encoded = file_id.removeprefix(_PREFIX)
        try:
            if encoded == file_id or len(encoded) > _LONGEST:
                raise unknown(file_id)
            sealed = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            key_id, _, upstream_id = sealed[_SEAL:].decode().partition(" ")
            provider, credential = self._credentials[key_id] if own is None else own(key_id)
        except (Base64Error, ValueError, KeyError):
            raise unknown(file_id) from None
        # The id written anew must be the same: so it is neither forged nor spelled otherwise.
        expected = self.write(credential, upstream_id, tenant)
        if not _same(expected, file_id) or not _SAFE.fullmatch(upstream_id):
            raise unknown(file_id)
        return Located(provider, credential, upstream_id)

    @staticmethod
    def tagged(filename: str, tenant: bytes) -> str:
        """A file's name as the upstream gets it: it says whose file it is, so that lists can be
        told apart. Where there is but one caller nothing need be said.
        """
        return f"dg-{_tag(tenant)}-{filename}" if tenant else filename

    @staticmethod
    def untagged(filename: str, tenant: bytes) -> str | None:
        """The name that ``tenant`` gave the file; ``None`` for another's."""
        tag = _TAG.match(filename)
        if not tenant:
            return filename if tag is None else None
        if tag is None or not _same(tag[1], _tag(tenant)):
            return None
        return filename[tag.end() :]

    def _label(self, credential: Credential) -> str:
        """A credential that a caller brings has no id that outlives the process; its seal tells it
        from others.
        """
        known = credential.id in self._credentials
        return credential.id if known else f"{credential.id.partition('/')[0]}/{OWN}"

    def _mac(self, credential: Credential, told: bytes, tenant: bytes) -> bytes:
        key = credential.seal or self._fallback
        mac = blake2b(digest_size=_SEAL, key=key, person=b"dragoman-file")
        mac.update(b"%d:%b:%b" % (len(tenant), tenant, told))
        return mac.digest()


def _tag(tenant: bytes) -> str:
    return blake2b(tenant, digest_size=8, person=b"dragoman-owner").hexdigest()


def _same(one: str, other: str) -> bool:
    """In a time that says nothing about where they differ."""
    return compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def unknown(file_id: str) -> NotFound:
    """Whatever is wrong with an id, it is not known."""
    return NotFound(f"There is no file `{file_id[:100]}`.", param="file_id", code="file_not_found")
