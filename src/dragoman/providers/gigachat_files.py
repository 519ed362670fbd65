"""GigaChat's files: multipart in, an id out; a file is deleted by a POST.

``POST /files`` takes the fields ``purpose`` and ``file`` and is particular about the media type:
``application/octet-stream`` is refused (vendor documentation, and reports of clients). A file
belongs to the key and the ``X-Client-ID`` that it was uploaded with; another one gets 403 for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from dragoman.dialects import gigachat
from dragoman.errors import RequestTooLarge, UpstreamBroken, UpstreamLostFile
from dragoman.providers.base import Attached, Fetch
from dragoman.providers.heads import AGENT
from dragoman.providers.signing import signed_headers

_OPEN_XML: Final = "application/vnd.openxmlformats-officedocument."
_SAME: Final = (
    "application/epub",
    "application/msword",
    "application/pdf",
    "application/ppt",
    "application/vnd.ms-excel",
    _OPEN_XML + "spreadsheetml.sheet",
    _OPEN_XML + "wordprocessingml.document",
    "audio/mp4",
    "audio/mpeg",
    "audio/opus",
    "audio/wav",
    "audio/webm",
    "image/bmp",
    "image/jpeg",
    "image/png",
    "image/tiff",
    "text/plain",
)
TYPES: Final[Mapping[str, str]] = {
    **{name: name for name in _SAME},
    "application/epub+zip": "application/epub",
    "application/vnd.ms-powerpoint": "application/ppt",
    _OPEN_XML + "presentationml.presentation": "application/pptx",
    "audio/ogg": "audio/x-ogg",
}
"""See ``FileStore.types``: the vendor's list, some of whose names are its own."""


class _File(Struct):
    id: str


class GigaChatFiles:
    """Implements ``FileStore``."""

    types = TYPES
    owner_headers: Collection[bytes] = frozenset({b"x-client-id"})

    def __init__(self, base_url: str, fetch: Fetch) -> None:
        """``base_url`` is that of API version 1, without a slash at its end."""
        self._url = f"{base_url}/files"
        self._fetch = fetch

    async def upload(self, lines: bytes, file: Attached) -> str:
        """See ``FileStore``."""
        boundary, form = _form(file)
        headers = [("content-type", f"multipart/form-data; boundary={boundary}")]
        status, answered, body = await self._post(self._url, lines, headers, form)
        if status == 413:
            raise RequestTooLarge(
                f"GigaChat finds this file of {len(file.content):,} bytes too large. Send a"
                " smaller one."
            )
        if status != 200:
            raise gigachat.UPSTREAM.read_error(status, answered, body)
        try:
            return msgspec.json.decode(body, type=_File).id
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamBroken(
                "GigaChat's answer to an upload could not be read. Try again.", detail=str(error)
            ) from error

    async def delete(self, lines: bytes, file_id: str) -> None:
        """See ``FileStore``."""
        url = f"{self._url}/{quote(file_id, safe='')}/delete"
        status, answered, body = await self._post(url, lines, [], b"")
        if status != 200:
            error = gigachat.UPSTREAM.read_error(status, answered, body)
            if not isinstance(error, UpstreamLostFile):
                raise error

    async def _post(
        self, url: str, lines: bytes, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        headers += [("accept", "application/json"), ("user-agent", AGENT)]
        headers += signed_headers(lines)
        return await self._fetch("POST", url, headers, body)


def _form(file: Attached) -> tuple[str, bytes]:
    """RFC 7578. The boundary is drawn from the content, which therefore cannot hold it by chance
    or by design.
    """
    boundary = f"dragoman-{sha256(file.content).hexdigest()[:32]}"
    # RFC 7578, section 4.2, and what browsers do: these three would end the header or the name.
    name = file.name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    head = (
        f"--{boundary}\r\n"
        'content-disposition: form-data; name="purpose"\r\n\r\n'
        "general\r\n"
        f"--{boundary}\r\n"
        f'content-disposition: form-data; name="file"; filename="{name}"\r\n'
        f"content-type: {file.media_type}\r\n\r\n"
    )
    content = head.encode("utf-8", "replace")
    return boundary, b"".join((content, file.content, f"\r\n--{boundary}--\r\n".encode()))
