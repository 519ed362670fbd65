"""A request under construction: what the rules of ``fates`` write into."""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Collection
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct

from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.request import ChatRequest
from dragoman.dialects.base import ModelFacts

LONGEST_NAME: Final = 128
"""Characters of a tool's name (API reference, "Tools")."""
DIGITS: Final = 8

_SAFE_NAME: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST_NAME}}}")
_SAFE_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")


class ToolNames(Struct):
    """Both directions of one request's mapping of names.

    A name that the API does not take gets one made from it and a digest of it: the same in every
    request, so that prompt caches hold.
    """

    taken: Collection[str] = ()
    """The caller's own names: a made-up one must equal none of them."""
    renamed: dict[str, str] = {}
    """Name on the wire -> the caller's name, for those that differ."""
    known: dict[str, str] = {}
    """The caller's name -> name on the wire, for all that were asked for."""

    def wire(self, name: str) -> str:
        """How ``name`` is spelled to the provider."""
        known = self.known.get(name)
        if known is None:
            known = self.known[name] = self._spell(name)
        return known

    def _spell(self, name: str) -> str:
        if _SAFE_NAME.fullmatch(name) and name not in self.renamed:
            return name
        digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        stem = _UNSAFE.sub("_", name)
        length = DIGITS
        while True:
            safe = f"{stem[: LONGEST_NAME - 1 - length]}_{digest[:length]}"
            if safe not in self.taken and safe not in self.renamed:
                self.renamed[safe] = name
                return safe
            length += 1


def safe_id(call_id: str) -> str:
    """A call's id as the API takes it: as it is, or one that follows from it."""
    if _SAFE_ID.fullmatch(call_id):
        return call_id
    digest = sha256(call_id.encode("utf-8", "surrogatepass")).digest()
    return "call_" + b32encode(digest)[:24].decode("ascii")


class Draft(Struct):
    """Lives as long as one ``write_request``."""

    request: ChatRequest
    facts: ModelFacts
    body: dict[str, Any]
    """The body so far, its members in their order on the wire."""
    fidelity: Fidelity
    names: ToolNames
    instructions: list[str] = []
    """What the system text has to say besides the caller's own words."""
    json_tool: str = ""
    """See ``WrittenRequest.json_tool``."""
    thinks: bool = False
    """The request asks for thoughts (or the model has them unasked), so that limits apply."""
    keeps_thoughts: bool = False
    """Signed thoughts of earlier turns go back."""
