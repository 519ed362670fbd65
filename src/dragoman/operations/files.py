"""Files that a provider keeps, each for the caller who uploaded it and for nobody else.

Without a provider in the path, the first one of the settings that keeps files is meant; an id
says by itself where its file lies. In a gateway that asks for no client key everybody is the same
caller, who may see all files of its credentials.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Final

from msgspec import Struct

from dragoman.dialects import files
from dragoman.dialects.files import File
from dragoman.dialects.operations import FilesApi, Upload
from dragoman.errands import Errand, Incoming
from dragoman.errors import InvalidRequest, NoCredential, UnsupportedByTarget, foremost
from dragoman.operations.desk import Desk, Operation, Place
from dragoman.operations.file_ids import OWN, FileIds, Located
from dragoman.providers.base import Credential, Provider

ANSWER_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of a file object or a list of them."""
LONGEST_PAGE: Final = 10_000
PARALLEL: Final = 4
"""Credentials that are asked for their lists together."""


class Page(Struct, frozen=True, kw_only=True):
    """Which of the files are wanted."""

    purpose: str | None = None
    order: str = "desc"
    limit: int = LONGEST_PAGE
    after: str | None = None


def read_page(parameters: Mapping[str, str]) -> Page:
    """From a query. Raises ``InvalidRequest``."""
    order, limit = parameters.get("order", "desc"), parameters.get("limit", str(LONGEST_PAGE))
    if order not in {"asc", "desc"}:
        raise InvalidRequest("'order' is `asc` or `desc`.", param="order", code="invalid_value")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= LONGEST_PAGE):
        raise InvalidRequest(
            f"'limit' is a number from 1 to {LONGEST_PAGE}.", param="limit", code="invalid_value"
        )
    return Page(
        purpose=parameters.get("purpose"),
        order=order,
        limit=int(limit),
        after=parameters.get("after"),
    )


class Files:
    """``/v1/files``. Every method raises ``GatewayError``."""

    def __init__(
        self, desk: Desk, ids: FileIds, disabled: Callable[[str], AbstractSet[str]]
    ) -> None:
        """``disabled``: name of a provider -> ids of its credentials that are not in use."""
        self._desk = desk
        self._ids = ids
        self._disabled = disabled

    async def upload(self, operation: Operation, upload: Upload) -> Sequence[bytes]:
        """Give a file to the provider; the answer's body."""
        place = self._place(operation)
        provider = place.provider
        api = _api(provider)
        prepared, fidelity = api.prepare(upload)
        self._desk.accept(operation, fidelity)
        boundary = secrets.token_hex(16)
        tagged = Upload(
            filename=self._ids.tagged(upload.filename, operation.tenant),
            media_type=prepared.media_type,
            pieces=prepared.pieces,
            fields=prepared.fields,
        )
        form = ("content-type", f"multipart/form-data; boundary={boundary}")
        errand = Errand(
            head=provider.operation_head("POST", api.path, [form]),
            body=files.written(tagged, boundary),
            read_error=api.read_error,
        )
        answer = await place.messenger.open(errand, operation)
        file = files.read_file(await answer.whole(ANSWER_LIMIT))
        (owner,) = (each for each in place.credentials if each.id == answer.key_id)
        file_id = self._ids.write(owner, file["id"], operation.tenant)
        named = {"filename": upload.filename, "purpose": upload.fields["purpose"]}
        return [files.write_file({**file, **named, "id": file_id})]

    async def listed(self, operation: Operation, page: Page) -> Sequence[bytes]:
        """The caller's files, newest first unless asked otherwise."""
        place = self._place(operation)
        provider = place.provider
        unused = self._disabled(provider.name)
        at_once = asyncio.Semaphore(PARALLEL)

        async def kept_by(credential: Credential) -> list[File]:
            async with at_once:
                body = await self._asked(operation, place, credential, ("GET", ""))
            shown = (
                self._shown(file, credential, operation.tenant) for file in files.read_files(body)
            )
            return [file for file in shown if file is not None]

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(kept_by(each))
                    for each in place.credentials
                    if each.id not in unused
                ]
        except ExceptionGroup as failed:
            raise foremost(failed) from None
        return [_paged([file for task in tasks for file in task.result()], page)]

    async def described(self, operation: Operation, file_id: str) -> Sequence[bytes]:
        """One file's object."""
        at, place = self._located(operation, file_id)
        body = await self._asked(operation, place, at.credential, ("GET", f"/{at.id}"))
        file = files.read_file(body)
        shown = self._shown(file, at.credential, operation.tenant) or file
        return [files.write_file({**shown, "id": file_id})]

    async def content(self, operation: Operation, file_id: str) -> Incoming:
        """The file itself, as it comes; whoever gets it reads it or closes it."""
        at, place = self._located(operation, file_id)
        api = _api(at.provider)
        accepted = [("accept", api.content_type or "*/*")]
        path = f"{api.path}/{at.id}/content"
        errand = Errand(
            head=at.provider.operation_head("GET", path, accepted),
            read_error=api.read_error,
            idempotent=True,
            key_id=at.credential.id,
        )
        return await place.messenger.open(errand, operation)

    async def deleted(self, operation: Operation, file_id: str) -> Sequence[bytes]:
        """The answer to a file's deletion."""
        at, place = self._located(operation, file_id)
        method, ending = _api(at.provider).deletion
        await self._asked(operation, place, at.credential, (method, f"/{at.id}{ending}"))
        return [files.write_deleted(file_id)]

    def _place(self, operation: Operation) -> Place:
        providers = self._desk.providers
        if operation.provider is not None:
            chosen = [providers[operation.provider]]
        else:
            chosen = [
                each
                for each in providers.values()
                if each.operations.files is not None and _may_ask(operation, each)
            ]
        if not chosen or chosen[0].operations.files is None:
            raise UnsupportedByTarget("No provider here keeps files.")
        return self._desk.place_of(operation, chosen[0])

    def _located(self, operation: Operation, file_id: str) -> tuple[Located, Place]:
        own = None if operation.visit is None else partial(self._own, operation)
        at = self._ids.read(file_id, operation.tenant, own)
        place = self._desk.place_of(operation, at.provider)
        if at.credential.id in self._disabled(at.provider.name):
            raise NoCredential(
                "The credential that keeps this file is not in use. The operator of this gateway"
                " has to mend it."
            )
        return at, place

    def _own(self, operation: Operation, key_id: str) -> tuple[Provider, Credential]:
        """The credential that the caller brings. Raises ``KeyError`` if a file is not its."""
        name, _, rest = key_id.partition("/")
        if rest != OWN:
            raise KeyError(key_id)
        place = self._desk.place_of(operation, self._desk.providers[name])
        return place.provider, place.credentials[0]

    async def _asked(
        self,
        operation: Operation,
        place: Place,
        credential: Credential,
        call: tuple[str, str],
    ) -> bytes:
        """The answer to a method and what follows the path of files, with that credential."""
        provider = place.provider
        api = _api(provider)
        method, ending = call
        errand = Errand(
            head=provider.operation_head(method, api.path + ending, ()),
            read_error=api.read_error,
            idempotent=method != "POST",
            key_id=credential.id,
        )
        return await place.messenger.ask(errand, operation, limit=ANSWER_LIMIT)

    def _shown(self, file: File, credential: Credential, tenant: bytes) -> File | None:
        """As the caller may see it; ``None`` for what is another's."""
        name = self._ids.untagged(str(file.get("filename", "")), tenant)
        if name is None:
            return None
        file_id = self._ids.write(credential, file["id"], tenant)
        return {**file, "id": file_id, "filename": name}


def _may_ask(operation: Operation, provider: Provider) -> bool:
    return operation.visit is None or provider.name in operation.visit.providers


def _api(provider: Provider) -> FilesApi:
    api = provider.operations.files
    if api is None:
        raise UnsupportedByTarget(f"{provider.name} keeps no files.")
    return api


def _paged(found: list[File], page: Page) -> bytes:
    if page.purpose is not None:
        found = [file for file in found if file.get("purpose") in {page.purpose, "general"}]
    found.sort(key=_age, reverse=page.order == "desc")
    if page.after is not None:
        places = [at for at, file in enumerate(found) if file["id"] == page.after]
        found = found[places[0] + 1 :] if places else []
    return files.write_files(found[: page.limit], has_more=len(found) > page.limit)


def _age(file: File) -> float:
    created = file.get("created_at")
    return created if isinstance(created, int | float) else 0.0
