"""Names of functions on the wire.

The vendor states no character set; letters, digits, ``_`` and ``-`` up to 64 are seen to work.
Anything else, and the names of GigaChat's own functions (a client's ``web_search`` would
switch on the built-in one), gets a safe name made from the original and a digest of it: the
same in every request, so that prompt caches hold, and told apart from every other.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from hashlib import sha256
from typing import Final

from msgspec import Struct

BUILT_IN: Final = frozenset(
    {
        "code_interpreter",
        "get_file_content",
        "image_generate",
        "model_3d_generate",
        "text2image",
        "text2model3d",
        "url_content_extraction",
        "web_search",
    }
)
"""Functions that GigaChat runs itself."""

_SAFE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")
_DIGITS: Final = 8


class ToolNames(Struct):
    """Both directions of one request's mapping."""

    taken: Collection[str] = ()
    """The caller's own names: a made-up one must equal none of them."""
    renamed: dict[str, str] = {}
    """Name on the wire -> the caller's name, for those that differ."""
    known: dict[str, str] = {}
    """The caller's name -> name on the wire, for all that were asked for."""

    def wire(self, name: str) -> str:
        """How ``name`` is spelled to GigaChat."""
        known = self.known.get(name)
        if known is None:
            known = self.known[name] = self._spell(name)
        return known

    def own(self, name: str) -> str:
        """A name for a function that is ours and none of the caller's: ``name``, or near it."""
        number = 1
        wire = name
        while wire in self.taken or wire in self.known or wire in self.renamed:
            number += 1
            wire = f"{name}_{number}"
        self.known[wire] = wire
        return wire

    def _spell(self, name: str) -> str:
        if _SAFE.fullmatch(name) and name not in BUILT_IN and name not in self.renamed:
            return name
        digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        stem = _UNSAFE.sub("_", name)
        length = _DIGITS
        while True:
            safe = f"{stem[: 63 - length]}_{digest[:length]}"
            if safe not in self.taken and safe not in self.renamed and safe not in self.known:
                self.renamed[safe] = name
                return safe
            length += 1
