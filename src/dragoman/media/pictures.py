"""Pictures in another format, for upstreams that do not take the one they came in.

Runs in a thread. The decoder is Pillow's; how many pixels it may unpack is checked before it does,
because a picture of a few kilobytes can claim to be of any size.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from PIL.Image import Image

READABLE: Final[dict[str, str]] = {
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/avif": "AVIF",
    "image/tiff": "TIFF",
    "image/bmp": "BMP",
    "image/png": "PNG",
    "image/jpeg": "JPEG",
}
"""Media type -> Pillow's decoder for it; no other decoder is ever tried."""
QUALITY: Final = 90


class Unconvertible(Exception):
    """The picture cannot be converted; the text says why and is fit for the caller."""


class Picture(Struct, frozen=True):
    """A picture in a format that most upstreams take."""

    content: bytes
    media_type: str


def converted(content: bytes, media_type: str, *, max_pixels: int) -> Picture:
    """The first frame of ``content``, upright: as PNG where it is transparent or has few colours,
    otherwise as JPEG. Raises ``Unconvertible``.
    """
    if media_type not in READABLE:
        raise Unconvertible(f"{media_type} cannot be converted; send JPEG or PNG")
    # Few requests hold a picture to convert, and importing this takes a noticeable time.
    from PIL import Image, ImageOps  # noqa: PLC0415

    try:
        with Image.open(io.BytesIO(content), formats=[READABLE[media_type]]) as picture:
            _check_pixels(picture, max_pixels)
            return _written(ImageOps.exif_transpose(picture))
    except Unconvertible:
        raise
    except Exception as error:  # decoders of hostile bytes raise whatever comes to hand
        raise Unconvertible("the picture is damaged") from error


def _check_pixels(picture: Image, most: int) -> None:
    if picture.width * picture.height > most:
        raise Unconvertible(
            f"it has {picture.width} x {picture.height} pixels, and {most:,} can be converted"
        )


def _written(picture: Image) -> Picture:
    is_flat = picture.mode in {"1", "L", "P", "LA"}
    if picture.has_transparency_data or is_flat:
        target = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
        return Picture(_saved(target, "PNG", optimize=False), "image/png")
    return Picture(_saved(picture.convert("RGB"), "JPEG", quality=QUALITY), "image/jpeg")


def _saved(picture: Image, format: str, **options: object) -> bytes:  # noqa: A002 - Pillow's word
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()
