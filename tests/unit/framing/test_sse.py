import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.framing import Frame, FramingError
from dragoman.framing.sse import SseDecoder, write_event
from support.splits import every_way


def decoded(blocks):
    decoder = SseDecoder()
    frames = [frame for block in blocks for frame in decoder.feed(block)]
    return frames + decoder.close()


def frame(data, event=b""):
    return Frame(event, data)


CASES = {
    "one event": (b"data: a\n\n", [frame(b"a")]),
    "two events": (b"data: a\n\ndata: b\n\n", [frame(b"a"), frame(b"b")]),
    "no space after the colon": (b"data:a\n\n", [frame(b"a")]),
    "only one space is cut": (b"data:  a\n\n", [frame(b" a")]),
    "several data lines": (b"data: a\ndata: b\n\n", [frame(b"a\nb")]),
    "an event name": (b"event: ping\ndata: {}\n\n", [frame(b"{}", b"ping")]),
    "the name behind the data": (b"data: {}\nevent: x\n\n", [frame(b"{}", b"x")]),
    "a name without data": (b"event: ping\n\ndata: a\n\n", [frame(b"a")]),
    "comments": (b": ping\n\n:x\ndata: a\n: y\n\n", [frame(b"a")]),
    "other fields": (b"id: 7\nretry: 10\ndata: a\nfoo\n\n", [frame(b"a")]),
    "CRLF": (b"data: a\r\n\r\nevent: e\r\ndata: b\r\n\r\n", [frame(b"a"), frame(b"b", b"e")]),
    "CR": (b"data: a\r\rdata: b\r\r", [frame(b"a"), frame(b"b")]),
    "all ends mixed": (
        b"data: a\n\r\ndata: b\r\n\ndata: c\r\r\n",
        [frame(x) for x in (b"a", b"b", b"c")],
    ),
    "a byte order mark": (b"\xef\xbb\xbfdata: a\n\ndata: b\n\n", [frame(b"a"), frame(b"b")]),
    "a mark that is not first": (
        b"data: a\n\n\xef\xbb\xbfdata: b\n\ndata: c\n\n",
        [frame(b"a"), frame(b"c")],
    ),
    "more empty lines": (b"\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [frame(b"a"), frame(b"b")]),
    "no last empty line": (b"data: a\n\ndata: b", [frame(b"a"), frame(b"b")]),
    "one line end at last": (b"data: a\n\ndata: b\n", [frame(b"a"), frame(b"b")]),
    "empty data": (b"data:\n\ndata\n\n", [frame(b""), frame(b"")]),
    "U+2028 is no line end": (
        "data: a\u2028b\u0085c\x0bd\n\n".encode(),
        [frame("a\u2028b\u0085c\x0bd".encode())],
    ),
    "nothing": (b"", []),
    "only line ends": (b"\n\r\n\r\n\n", []),
}


@pytest.mark.parametrize("case", CASES)
def test_events_come_out_however_the_bytes_are_cut(case):
    data, expected = CASES[case]
    for name, blocks in every_way(data):
        assert decoded(blocks) == expected, name


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=30).map(lambda b: b.replace(b"\r", b"").replace(b"\x00", b"\n")),
            st.sampled_from([b"", b"message", b"error"]),
        ),
        max_size=6,
    ),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.integers(0, 1000),
)
def test_what_is_written_is_read_back(events, end, seed):
    data = b"".join(write_event(data, event) for data, event in events).replace(b"\n", end)
    for name, blocks in every_way(data, seeds=(seed,)):
        assert decoded(blocks) == [frame(data, event) for data, event in events], name


@given(st.binary(max_size=60), st.integers(0, 1000))
def test_any_bytes_give_the_same_frames_however_they_are_cut(data, seed):
    expected = decoded([data])
    for name, blocks in every_way(data, seeds=(seed,)):
        assert decoded(blocks) == expected, name


def test_an_event_without_end_is_refused():
    decoder = SseDecoder(limit=100)
    decoder.feed(b"data: " + b"x" * 90)
    with pytest.raises(FramingError, match="longer than 100 bytes"):
        decoder.feed(b"x" * 10)


def test_the_bound_counts_each_event_by_itself():
    decoder = SseDecoder(limit=100)
    for _ in range(10):
        assert len(decoder.feed(b"data: " + b"x" * 80 + b"\n\n")) == 1


def test_data_with_line_feeds_becomes_several_lines():
    assert write_event(b"a\nb", b"note") == b"event: note\ndata: a\ndata: b\n\n"
