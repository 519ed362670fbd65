"""Pictures in another format."""

import io
import struct
import warnings
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dragoman.media.pictures import READABLE, Unconvertible, converted
from support.media_samples import picture

PIXELS = 10_000


def reread(found):
    return Image.open(io.BytesIO(found.content))


@pytest.mark.parametrize("fmt", ["WEBP", "AVIF", "TIFF", "BMP"])
def test_a_photograph_becomes_a_jpeg(fmt):
    found = converted(picture(fmt), f"image/{fmt.lower()}", max_pixels=PIXELS)
    assert found.media_type == "image/jpeg"
    assert (reread(found).format, reread(found).size) == ("JPEG", (3, 2))


@pytest.mark.parametrize(
    ("fmt", "mode"), [("WEBP", "RGBA"), ("GIF", "P"), ("PNG", "LA"), ("TIFF", "1")]
)
def test_what_is_transparent_or_flat_becomes_a_png(fmt, mode):
    color = {"RGBA": (1, 2, 3, 4), "P": 1, "LA": (1, 2), "1": 1}[mode]
    shown = picture(fmt, mode=mode, color=color)
    found = converted(shown, f"image/{fmt.lower()}", max_pixels=PIXELS)
    assert found.media_type == "image/png"
    assert reread(found).format == "PNG"


def test_the_first_frame_stands_for_all():
    out = io.BytesIO()
    frames = [Image.new("RGB", (2, 2), color) for color in ("red", "blue")]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    found = converted(out.getvalue(), "image/webp", max_pixels=PIXELS)
    red, _, blue = reread(found).convert("RGB").getpixel((0, 0))
    assert red > 200 > blue


def test_a_picture_is_turned_upright():
    out = io.BytesIO()
    shown = Image.new("RGB", (4, 2), "red")
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    shown.save(out, "WEBP", exif=exif)
    assert reread(converted(out.getvalue(), "image/webp", max_pixels=PIXELS)).size == (2, 4)


def test_only_so_many_pixels_are_unpacked():
    shown = picture("WEBP", size=(101, 100))
    with pytest.raises(Unconvertible, match="101 x 100 pixels"):
        converted(shown, "image/webp", max_pixels=PIXELS)


def test_a_bomb_is_not_unpacked():
    """A PNG of a few bytes that says it is as large as a PNG can be."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    with warnings.catch_warnings(), pytest.raises(Unconvertible):
        warnings.simplefilter("ignore")
        converted(bomb, "image/png", max_pixels=40_000_000)


def test_unknown_formats_are_refused():
    with pytest.raises(Unconvertible, match="image/heic cannot be converted"):
        converted(b"x", "image/heic", max_pixels=PIXELS)


@pytest.mark.parametrize("media_type", READABLE)
def test_damage_is_said(media_type):
    with pytest.raises(Unconvertible, match="damaged"):
        converted(b"nonsense", media_type, max_pixels=PIXELS)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_whatever_bytes_come_nothing_else_is_raised(data):
    fmt = data.draw(st.sampled_from(["WEBP", "GIF", "BMP", "TIFF"]))
    shown = bytearray(picture(fmt))
    for _ in range(data.draw(st.integers(1, 6))):
        shown[data.draw(st.integers(0, len(shown) - 1))] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = converted(bytes(shown), f"image/{fmt.lower()}", max_pixels=PIXELS)
        except Unconvertible:
            return
    assert found.media_type in {"image/png", "image/jpeg"}
