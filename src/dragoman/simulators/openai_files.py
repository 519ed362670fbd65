"""OpenAI's files: upload, list, get, content, delete.

A file belongs to the API key that uploaded it; another key does not find it. Files for some
purposes may be uploaded and described but not read back, which the simulator keeps to.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final
from urllib.parse import quote

import msgspec

from dragoman.simulators.chatter import Identity
from dragoman.simulators.delivery import Answer, json_answer
from dragoman.simulators.faults import Plan
from dragoman.simulators.journal import Call
from dragoman.simulators.multipart import Malformed, read_form
from dragoman.simulators.refusals import Refusal, unsupported_value

PURPOSES: Final = ("assistants", "batch", "evals", "fine-tune", "user_data", "vision")
_FIELDS: Final = frozenset({"file", "purpose", "expires_after[anchor]", "expires_after[seconds]"})
_CREATED: Final = 1_767_225_600
_FILES_KEPT: Final = 1000
_LARGEST: Final = 512 * 1024 * 1024


class StoredFile(msgspec.Struct, frozen=True):
    """One upload."""

    id: str
    key: str
    name: str
    purpose: str
    number: int
    content: bytes

    def view(self) -> dict[str, Any]:
        """The file object of the API."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": _CREATED + self.number,
            "expires_at": None,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


class Files:
    """Everything that was uploaded and not deleted; the oldest goes when there is too much."""

    def __init__(self) -> None:
        self._count = 0
        self._stored: OrderedDict[str, StoredFile] = OrderedDict()

    def upload(self, call: Call, plan: Plan) -> Answer:
        """``POST /files``."""
        del plan
        try:
            form = read_form(call.header("content-type"), call.body)
        except Malformed as error:
            raise Refusal(400, f"Could not parse multipart form: {error}") from None
        unknown = sorted(form.keys() - _FIELDS)
        if unknown:
            raise Refusal(
                400,
                f"Unknown parameter: '{unknown[0]}'.",
                param=unknown[0],
                code="unknown_parameter",
            )
        for name in ("file", "purpose"):
            if name not in form:
                message = f"Missing required parameter: '{name}'."
                raise Refusal(400, message, param=name, code="missing_required_parameter")
        purpose = form["purpose"].content.decode(errors="replace")
        if purpose not in PURPOSES:
            raise unsupported_value("purpose", purpose, PURPOSES)
        file = form["file"]
        if not file.filename or len(file.content) > _LARGEST:
            raise Refusal(400, "Invalid file: it has no name or is too large.", param="file")
        self._count += 1
        identity = Identity(f"{self._count}".encode() + file.content[:4096])
        name = f"file-{identity.hex('file', 24)}"
        stored = StoredFile(name, _key(call), file.filename, purpose, self._count, file.content)
        self._stored[stored.id] = stored
        while len(self._stored) > _FILES_KEPT:
            self._stored.popitem(last=False)
        return json_answer(stored.view())

    def listing(self, call: Call, plan: Plan) -> Answer:
        """``GET /files``: the key's own, the newest first."""
        del plan
        key = _key(call)
        mine = [file.view() for file in reversed(self._stored.values()) if file.key == key]
        return json_answer({"object": "list", "data": mine, "has_more": False})

    def get(self, call: Call, plan: Plan) -> Answer:
        """``GET /files/{file}``."""
        del plan
        return json_answer(self._asked(call).view())

    def content(self, call: Call, plan: Plan) -> Answer:
        """``GET /files/{file}/content``."""
        del plan
        file = self._asked(call)
        if file.purpose == "assistants":
            raise Refusal(400, "Not allowed to download files of purpose: assistants")
        headers = {
            "content-type": "application/octet-stream",
            "content-disposition": f"attachment; filename*=UTF-8''{quote(file.name)}",
        }
        return Answer(headers=headers, body=file.content)

    def delete(self, call: Call, plan: Plan) -> Answer:
        """``DELETE /files/{file}``."""
        del plan
        file = self._asked(call)
        del self._stored[file.id]
        return json_answer({"id": file.id, "object": "file", "deleted": True})

    def _asked(self, call: Call) -> StoredFile:
        name = call.path_parameters["file"]
        file = self._stored.get(name)
        if file is None or file.key != _key(call):
            raise Refusal(404, f"No such File object: {name}", param="id")
        return file


def _key(call: Call) -> str:
    return (call.header("authorization") or "").partition(" ")[2]
