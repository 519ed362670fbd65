from dragoman.canonical.fidelity import Fidelity
from dragoman.sides import Answer
from dragoman.web.reply import Heads, answer_headers, header_text


def test_an_answer_says_where_it_comes_from_and_how_faithful_it_is():
    fidelity = Fidelity()
    fidelity.drop("seed")
    answer = Answer(status=200, target="giga/GigaChat", attempts=2, fidelity=fidelity)
    headers = dict(answer_headers(answer, stream=False))
    assert headers == {
        b"content-type": b"application/json",
        b"x-dragoman-target": b"giga/GigaChat",
        b"x-dragoman-attempts": b"2",
        b"x-dragoman-fidelity": b"lossy",
        b"x-dragoman-changes": b"dropped=seed",
    }


def test_a_stream_is_told_not_to_be_kept_or_collected():
    headers = dict(answer_headers(Answer(status=200), stream=True))
    assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert headers[b"cache-control"] == b"no-cache"
    assert headers[b"x-accel-buffering"] == b"no"


def test_retry_after_is_whole_seconds_and_at_least_one():
    for seconds, told in [(0.2, b"1"), (1.2, b"2"), (30, b"30")]:
        headers = dict(answer_headers(Answer(status=429, retry_after=seconds), stream=False))
        assert headers[b"retry-after"] == told


def test_a_rendered_head_says_what_the_headers_say():
    heads = Heads()
    for fidelity in (Fidelity(), Fidelity(dropped=["seed"])):
        for status in (200, 200, 429, 299):
            answer = Answer(status, "giga/GigaChat", 1, fidelity)
            first, *lines = heads.of(answer, stream=False).split(b"\r\n")
            assert first.startswith(b"HTTP/1.1 %d " % status)
            assert lines.pop() == b""
            assert [tuple(line.split(b": ")) for line in lines] == answer_headers(
                answer, stream=False
            )


def test_the_memory_of_heads_is_bounded():
    heads = Heads()
    for number in range(10_000):
        heads.of(Answer(200, f"p/{number}", 1, Fidelity()), stream=True)
    assert len(heads._kept) <= 4096


def test_a_model_name_cannot_smuggle_a_header():
    assert header_text("a\r\nset-cookie: x") == b"a??set-cookie: x"
    assert header_text("модель") == b"??????"
