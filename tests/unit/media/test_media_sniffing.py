"""What bytes are, whatever they are called."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.canonical.conversation import MediaKind
from dragoman.media.sniffing import kind_of, sniffed
from support.media_samples import PDF, picture, wav

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(24)
OPEN_XML = "application/vnd.openxmlformats-officedocument."


def zipped(*names, content=b"x"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return out.getvalue()


EXAMPLES = [
    (picture("PNG"), "image/png"),
    (picture("JPEG"), "image/jpeg"),
    (picture("GIF"), "image/gif"),
    (picture("WEBP"), "image/webp"),
    (picture("BMP"), "image/bmp"),
    (picture("TIFF"), "image/tiff"),
    (picture("AVIF"), "image/avif"),
    (b"\0\0\0\x18ftypheic" + bytes(16), "image/heic"),
    (wav(), "audio/wav"),
    (b"ID3\x04" + bytes(20), "audio/mpeg"),
    (b"\xff\xfb\x90\x44" + bytes(20), "audio/mpeg"),
    (b"\0\0\0\x18ftypM4A " + bytes(16), "audio/mp4"),
    (b"OggS" + bytes(24) + b"OpusHead", "audio/opus"),
    (b"OggS" + bytes(40), "audio/ogg"),
    (b"fLaC" + bytes(40), "audio/flac"),
    (b"\x1a\x45\xdf\xa3" + bytes(40), "video/webm"),
    (b"\0\0\0\x18ftypisom" + bytes(16), "video/mp4"),
    (PDF, "application/pdf"),
    (OLE, "application/msword"),
    (zipped("[Content_Types].xml", "word/document.xml"), OPEN_XML + "wordprocessingml.document"),
    (zipped("xl/workbook.xml"), OPEN_XML + "spreadsheetml.sheet"),
    (zipped("ppt/presentation.xml"), OPEN_XML + "presentationml.presentation"),
    (zipped("mimetype", content=b"application/epub+zip"), "application/epub+zip"),
    (zipped("anything"), None),
    ("Слова".encode(), "text/plain"),
    (b"BM is how this text begins, and it is a long one", "text/plain"),
    (b"RIFF\0\0\0\0AVI ", None),
    (b"\0\1\2\3", None),
    (b"\xff\xfe\xfd\xfc", None),
    (b"", None),
]


@pytest.mark.parametrize(("content", "media_type"), EXAMPLES, ids=lambda value: str(value)[:24])
def test_bytes_tell_what_they_are(content, media_type):
    assert sniffed(content) == media_type
    assert sniffed(content, "image/jpeg; q=1", "x.jpg") == media_type


def test_a_claim_decides_between_formats_that_look_alike():
    assert sniffed(OLE, "application/vnd.ms-excel") == "application/vnd.ms-excel"
    assert sniffed(OLE, None, "Slides.PPT") == "application/vnd.ms-powerpoint"
    assert sniffed(b"\x1a\x45\xdf\xa3" + bytes(40), "audio/webm") == "audio/webm"
    assert sniffed(b"\0\0\0\x18ftypisom" + bytes(16), "audio/mp4") == "audio/mp4"


def test_a_text_that_is_cut_within_a_letter_is_a_text_only_as_a_whole():
    text = ("я" * 4000).encode()
    assert sniffed(text) == "text/plain"
    assert sniffed(text[:-1]) is None


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [
        ("image/png", MediaKind.IMAGE),
        ("audio/wav", MediaKind.AUDIO),
        ("video/mp4", MediaKind.VIDEO),
        ("text/plain", MediaKind.DOCUMENT),
        ("application/pdf", MediaKind.DOCUMENT),
    ],
)
def test_a_type_is_of_a_kind(media_type, kind):
    assert kind_of(media_type) is kind


@given(st.binary(max_size=64), st.none() | st.text(max_size=20), st.none() | st.text(max_size=9))
def test_no_bytes_are_too_odd(content, declared, name):
    found = sniffed(content, declared, name)
    assert found is None or found == found.lower()
