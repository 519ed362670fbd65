"""Small media, made on the spot."""

import base64
import io
import struct

from PIL import Image

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def picture(fmt="PNG", size=(3, 2), color="red", mode="RGB"):
    """A picture of one colour in Pillow's format ``fmt``."""
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, fmt)
    return out.getvalue()


def wav(samples=8):
    """Silence: RIFF, one channel, 8 bits."""
    data = bytes(samples)
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    body = b"WAVE" + head + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def coded(content):
    return base64.b64encode(content).decode()


def data_uri(content, media_type):
    return f"data:{media_type};base64,{coded(content)}"


def image_part(content, media_type="image/png", **members):
    return {"type": "image_url", "image_url": {"url": data_uri(content, media_type), **members}}


def url_part(url):
    return {"type": "image_url", "image_url": {"url": url}}


def file_part(content, media_type="application/pdf", name="paper.pdf"):
    return {"type": "file", "file": {"filename": name, "file_data": data_uri(content, media_type)}}


def audio_part(content, sort="wav"):
    return {"type": "input_audio", "input_audio": {"data": coded(content), "format": sort}}


def showing(*parts, text="What is it?"):
    """The messages of a user who shows ``parts``."""
    return [{"role": "user", "content": [{"type": "text", "text": text}, *parts]}]
