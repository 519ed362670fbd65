"""AWS's frames: known ones, damaged ones, any of them against AWS's own reader."""

import json
import struct
import zlib

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from dragoman.framing import Frame, FramingError
from dragoman.framing.aws_event_stream import AwsEventStreamDecoder, read_headers
from support.splits import every_way

STOP = bytes.fromhex(
    "0000007a00000051ca2c46650b3a6576656e742d7479706507000b6d65737361676553746f700d3a636f6e74656e"
    "742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e"
    "747b2273746f70526561736f6e223a22656e645f7475726e227d5fbf09fc"
)
THROTTLED = bytes.fromhex(
    "00000090000000618e91a9b70f3a657863657074696f6e2d747970650700137468726f74746c696e674578636570"
    "74696f6e0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d657373616765"
    "2d74797065070009657863657074696f6e7b226d657373616765223a22546f6f206d616e79207265717565737473"
    "227de67f8005"
)
STREAM = STOP + THROTTLED + STOP
FRAMES = [
    Frame(b"messageStop", b'{"stopReason":"end_turn"}'),
    Frame(b":throttlingException", b'{"message":"Too many requests"}'),
    Frame(b"messageStop", b'{"stopReason":"end_turn"}'),
]


def header(name: bytes, value: bytes, kind: int = 7) -> bytes:
    length = struct.pack(">H", len(value)) if kind in {6, 7} else b""
    return bytes([len(name)]) + name + bytes([kind]) + length + value


def framed(headers: bytes, payload: bytes) -> bytes:
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    frame = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return frame + struct.pack(">I", zlib.crc32(frame))


def read(blocks) -> list[Frame]:
    decoder = AwsEventStreamDecoder()
    frames = [frame for block in blocks for frame in decoder.feed(block)]
    return frames + decoder.close()


def test_frames_however_they_are_split():
    for name, blocks in every_way(STREAM):
        assert read(blocks) == FRAMES, name
    for at in range(len(STREAM)):
        assert read([STREAM[:at], STREAM[at:]]) == FRAMES


@pytest.mark.parametrize("at", range(len(STOP)))
def test_a_flipped_bit_is_an_error(at):
    damaged = bytearray(STOP)
    damaged[at] ^= 1 << at % 8
    with pytest.raises(FramingError):
        read([bytes(damaged)])


@pytest.mark.parametrize("size", range(1, len(STOP)))
def test_an_end_inside_a_frame_is_an_error(size):
    decoder = AwsEventStreamDecoder()
    assert decoder.feed(STOP + STOP[:size]) == FRAMES[:1]
    with pytest.raises(FramingError):
        decoder.close()


@pytest.mark.parametrize(
    ("size", "headers"),
    [(15, 0), (16, 1), (17, 200_000), (2**31, 0), (30_000_000, 0)],
    ids=["too short", "headers beyond it", "long headers", "huge", "long payload"],
)
def test_impossible_sizes_are_refused_before_they_are_waited_for(size, headers):
    prelude = struct.pack(">II", size, headers)
    with pytest.raises(FramingError):
        AwsEventStreamDecoder().feed(prelude + struct.pack(">I", zlib.crc32(prelude)))


def test_every_type_of_header_is_passed_over_or_read():
    # fmt: off
    block = (
        header(b"t", b"", 0) + header(b"f", b"", 1) + header(b"i8", b"1", 2)
        + header(b"i16", b"12", 3) + header(b"i32", b"1234", 4) + header(b"i64", b"12345678", 5)
        + header(b"b", b"bytes", 6) + header(b"s", b"text", 7) + header(b"ts", b"12345678", 8)
        + header(b"u", b"0123456789abcdef", 9) + header(b":event-type", b"x")
    )
    # fmt: on
    assert read_headers(block) == {b"b": b"bytes", b"s": b"text", b":event-type": b"x"}
    assert read([framed(block, b"{}")]) == [Frame(b"x", b"{}")]
    for end in range(1, len(block)):
        try:
            read_headers(block[:end])
        except FramingError:
            continue
        assert read_headers(block[:end]).keys() <= read_headers(block).keys()


@pytest.mark.parametrize("block", [b"\x01a", b"\x01a\x0a", b"\x01a\x07\x00", b"\x01a\x07\x00\x05x"])
def test_headers_that_make_no_sense_are_refused(block):
    with pytest.raises(FramingError):
        read([framed(block, b"")])


def test_an_unmodelled_error_tells_its_message():
    headers = (
        header(b":message-type", b"error")
        + header(b":error-code", b"InternalFailure")
        + header(b":error-message", b"It broke")
    )
    (frame,) = read([framed(headers, b"")])
    assert frame.event == b":InternalFailure"
    assert json.loads(frame.data) == {"message": "It broke"}


@given(
    st.lists(
        st.tuples(
            st.dictionaries(
                st.sampled_from([":event-type", ":content-type", "x"]), st.text(max_size=9)
            ),
            st.binary(max_size=99),
        ),
        max_size=5,
    )
)
def test_it_reads_what_the_sdk_reads(messages):
    stream = b"".join(
        framed(
            b"".join(header(name.encode(), value.encode()) for name, value in headers.items()),
            payload,
        )
        for headers, payload in messages
    )
    oracle = EventStreamBuffer()
    oracle.add_data(stream)
    theirs = [(event.headers.get(":event-type", ""), event.payload) for event in oracle]
    assert [(frame.event.decode(), frame.data) for frame in read([stream])] == theirs
