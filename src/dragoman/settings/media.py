"""What is taken of pictures, documents and recordings."""

from __future__ import annotations

from pydantic import Field

from dragoman.settings.block import Block
from dragoman.settings.values import Names, Seconds


class MediaSettings(Block):
    """Pictures, documents and recordings for providers that want them uploaded (GigaChat)."""

    images: bool = True
    """Take pictures."""
    documents: bool = True
    """Take documents."""
    audio: bool = True
    """Take recordings."""
    max_image_mb: float = Field(default=15, gt=0, le=1024)
    """Largest picture, in megabytes of 1,048,576 bytes."""
    max_audio_mb: float = Field(default=35, gt=0, le=1024)
    """Largest recording, in megabytes."""
    max_document_mb: float = Field(default=40, gt=0, le=1024)
    """Largest document, in megabytes."""
    max_total_mb: float = Field(default=80, gt=0, le=1024)
    """All pictures and recordings of a request together, in megabytes."""
    images_per_message: int = Field(default=1, ge=1, le=100)
    """Pictures in one message."""
    images_per_request: int = Field(default=10, ge=1, le=100)
    """Pictures in a whole request, its history included."""
    max_megapixels: float = Field(default=40, gt=0, le=80)
    """Largest picture that is converted to another format, in millions of pixels."""
    keep: Seconds = 3600
    """Seconds that an uploaded file is used again for the same caller before it is deleted."""
    kept_files: int = Field(default=1000, ge=1, le=100_000)
    """Uploaded files that one provider keeps at a time; the least recently used goes first."""
    fetch: bool = True
    """Fetch media that a caller gives by URL."""
    fetch_timeout: Seconds = 10
    """Seconds to fetch one of them, redirects included."""
    fetch_redirects: int = Field(default=3, ge=0, le=10)
    """Redirects that are followed; each is checked like a new URL."""
    fetch_hosts: Names = ()
    """The only hosts to fetch from, as `example.org` or `*.example.org`; empty allows all."""
    allow_private: bool = False
    """Fetch also from addresses that are not public: callers can then reach what this machine can
    reach."""
