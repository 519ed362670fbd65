"""Forms: read in any pieces, written anew, and read by a reader of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.dialects import files
from dragoman.dialects.operations import Upload
from dragoman.dialects.uploads import FIELD_LIMIT, MOST_PARTS, UploadReader
from dragoman.errors import InvalidRequest, UpstreamBroken
from dragoman.simulators.multipart import read_form

CONTENT_TYPE = b'multipart/form-data; boundary="b"'


def read(body, cuts=()):
    reader = UploadReader(CONTENT_TYPE)
    at = 0
    for cut in (*sorted(cuts), len(body)):
        if body[at:cut]:
            reader.feed(body[at:cut])
        at = cut
    return reader.close()


def upload(content, filename="a.txt", **fields):
    return Upload(
        filename=filename,
        media_type="text/plain",
        pieces=[content],
        fields={"purpose": "user_data", **fields},
    )


@given(
    content=st.binary(max_size=200) | st.just(b"--b\r\n\r\n--b--\r\nb" * 3),
    name=st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1),
    cuts=st.lists(st.integers(0, 300), max_size=8),
)
def test_what_is_written_is_read_again_however_it_is_cut(content, name, cuts):
    if b"\r\n--b" in content or content.startswith(b"--b"):
        content = content.replace(b"-", b"=")
    name = name.replace("\\", "_").replace("%", "_")
    body = b"".join(files.written(upload(content, name, extra="ü"), "b"))
    seen = read(body, [cut for cut in cuts if cut < len(body)])
    assert b"".join(seen.pieces) == content
    assert seen.filename == name.replace('"', "%22")
    assert seen.fields == {"purpose": "user_data", "extra": "ü"}
    assert seen.media_type == "text/plain"
    form = read_form(CONTENT_TYPE.decode(), body)
    assert form["file"].content == content
    assert form["purpose"].content == b"user_data"


def test_a_large_file_is_kept_in_the_blocks_that_came():
    body = b"".join(files.written(upload(b"x" * 100_000), "b"))
    reader = UploadReader(CONTENT_TYPE)
    blocks = [body[at : at + 10_000] for at in range(0, len(body), 10_000)]
    for block in blocks:
        reader.feed(block)
    pieces = reader.close().pieces
    assert sum(len(piece) for piece in pieces) == 100_000
    assert blocks[5] in pieces
    assert any(piece is blocks[5] for piece in pieces)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ([("purpose", b"x")], "file"),
        ([("file", None)], "purpose"),
        ([("purpose", b""), ("file", None)], "purpose"),
        ([("purpose", b"x"), ("file", None), ("file", None)], "file"),
        ([("purpose", b"x"), ("other", None)], "other"),
        ([("purpose", b"x" * (FIELD_LIMIT + 1))], None),
        ([("purpose", b"x")] * (MOST_PARTS + 1), None),
    ],
)
def test_a_wrong_form_is_refused(fields, param):
    body = b""
    for name, value in fields:
        filename = b'; filename="a"' if value is None else b""
        head = b'--b\r\ncontent-disposition: form-data; name="%b"%b\r\n\r\n'
        body += head % (name.encode(), filename) + (value or b"") + b"\r\n"
    with pytest.raises(InvalidRequest) as caught:
        read(body + b"--b--\r\n")
    assert caught.value.param == param


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b",
        b"--b--\r\n",
        b"nothing of the kind",
        b"--b\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\ncontent-type: text/plain\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\ncontent-disposition: form-data; name=file\r\n\r\nx",
        b"--b\r\na: b\r\n\r\n" + b"x" * (FIELD_LIMIT + 1) + b"\r\n--b--\r\n",
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n%b'
        % b"content-type: a\nb: c\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\n" + b"a: b\r\n" * 50,
        b"--b\r\na: " + b"b" * 10_000,
    ],
)
def test_garbage_is_refused(body):
    with pytest.raises(InvalidRequest):
        read(body)


@pytest.mark.parametrize(
    "content_type", [b"", b"text/plain", b"multipart/form-data", b"multipart/form-data; boundary="]
)
def test_other_types_are_no_forms(content_type):
    with pytest.raises(InvalidRequest):
        UploadReader(content_type)
    with pytest.raises(InvalidRequest):
        UploadReader(b"multipart/form-data; boundary=" + b"b" * 1000)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": 5}', b"<html>"])
def test_what_describes_no_file_is_broken(body):
    with pytest.raises(UpstreamBroken):
        files.read_file(body)
    with pytest.raises(UpstreamBroken):
        files.read_files(b'{"data":[%b]}' % body if body != b"" else body)
