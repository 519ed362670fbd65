"""What one request carries that its upstream wants uploaded, and the porter that handles it.

``Porter.check_in`` is called while the request is written: it refuses what cannot go, before a
credential is asked for. ``Luggage.load`` runs when the credential is there: it loads each medium
once, uploads it unless the shelf knows it, and gives the request's body. Loaded media stay for
another attempt with another credential, which needs ids of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from msgspec import structs

from dragoman.dialects.base import ModelFacts, WrittenRequest
from dragoman.errors import GatewayError, UnsupportedByTarget
from dragoman.media.limits import MediaLimits, check_attachments
from dragoman.media.loading import Loaded, Loader
from dragoman.media.shelf import Mark, Owner, Shelf
from dragoman.media.tidying import Tidying
from dragoman.providers.base import Credential, FileStore

TIDY_EVERY: Final = 30.0
"""Seconds."""


class Porter:
    """Media for one provider: what may go, where it went, and when it is deleted."""

    def __init__(
        self,
        store: FileStore,
        loader: Loader,
        limits: MediaLimits,
        shelf: Shelf,
        tidying: Tidying,
    ) -> None:
        self.store = store
        self.loader = loader
        self.limits = limits
        self.shelf = shelf
        self.tidying = tidying

    def check_in(
        self, written: WrittenRequest, facts: ModelFacts, owner: Owner, *, exactly: bool
    ) -> Luggage:
        """``exactly``: nothing may be converted. Raises ``ClientError``."""
        check_attachments(written.attachments, facts, self.limits)
        return Luggage(self, written, facts, owner, exactly=exactly)

    async def keep_tidy(self) -> None:
        """Delete what has become old, until cancelled."""
        while True:
            await asyncio.sleep(TIDY_EVERY)
            self.shelf.expire()
            await self.tidying.run()

    async def close(self) -> None:
        """Delete everything that was uploaded, as far as a few seconds go."""
        self.loader.close()
        await self.tidying.finish(self.shelf.clear())


class Luggage:
    """Of one request to one target."""

    def __init__(
        self,
        porter: Porter,
        written: WrittenRequest,
        facts: ModelFacts,
        owner: Owner,
        *,
        exactly: bool,
    ) -> None:
        self._porter = porter
        self._written = written
        self._facts = facts
        self._owner = owner
        self._exactly = exactly
        self._loaded: Sequence[Loaded] | None = None
        self._used: list[tuple[Mark, str]] = []
        self.told: Callable[[GatewayError], GatewayError] | None = None
        """How failed uploads are told to the caller, where that is not as they are."""

    async def load(self, credential: Credential, authorization: bytes) -> Sequence[bytes]:
        """The request's body, with every medium at the provider under ``credential``. Raises
        ``GatewayError``; cancelling it stops what is under way.
        """
        porter, written = self._porter, self._written
        if self._loaded is None:
            self._loaded = await porter.loader.load(written.attachments, self._facts)
            self._note_changes(self._loaded)
        self._used = []
        ids = [await self._stored(each, credential, authorization) for each in self._loaded]
        assert written.with_media is not None  # noqa: S101  # there are attachments
        return written.with_media(
            [
                structs.replace(attachment.media, file_id=file_id, data=None, url=None)
                for attachment, file_id in zip(written.attachments, ids, strict=True)
            ]
        )

    def forget(self) -> bool:
        """The provider does not know a file of ours: upload all of them anew with the next
        ``load``. ``False`` if there was none.
        """
        used, self._used = self._used, []
        for mark, file_id in used:
            self._porter.shelf.forget(mark, file_id)
        return bool(used)

    async def _stored(self, loaded: Loaded, credential: Credential, authorization: bytes) -> str:
        upload = loaded.upload
        lines = authorization + self._owner.lines
        mark = Mark(credential.id, self._owner, loaded.digest, upload.media_type)
        try:
            file_id = await self._porter.shelf.obtain(
                mark, credential, partial(self._porter.store.upload, lines, upload)
            )
        except GatewayError as error:
            error.param = error.param or loaded.path
            if self.told is None:
                raise
            raise self.told(error) from error
        self._used.append((mark, file_id))
        return file_id

    def _note_changes(self, loaded: Sequence[Loaded]) -> None:
        for each in loaded:
            if each.adapted is None:
                continue
            was, now = each.adapted
            if self._exactly:
                raise UnsupportedByTarget(
                    f"This provider takes no {was}, and x-dragoman-on-unsupported: reject was"
                    f" sent. Send {now} or choose another model.",
                    param=each.path,
                )
            self._written.fidelity.adjust(each.path, was, now)
