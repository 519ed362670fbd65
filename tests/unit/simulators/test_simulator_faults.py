"""Faults: their grammar, the three ways in, and what each looks like on the wire."""

import json
import socket

import pytest

from dragoman.simulators.faults import FaultBook, Plan, read_duration, read_fault
from dragoman.simulators.options import GIGACHAT_ACCESS_TOKEN, OPENAI_KEYS, SimulatorOptions
from support.simulator import running_simulator

PATHS = {
    "openai": ("/openai/v1/chat/completions", OPENAI_KEYS[0], "gpt-4o"),
    "gigachat": ("/gigachat/api/v1/chat/completions", GIGACHAT_ACCESS_TOKEN, "GigaChat"),
}


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("429:retry-after=2", {"name": "429", "status": 429, "retry_after": "2"}),
        ("429 retry-after=1,times=3", {"status": 429, "retry_after": "1", "times": 3}),
        ("cut after=3 bytes=5 reset=true", {"after": 3, "bytes": 5, "reset": True}),
        ("stall:after=2:seconds=60", {"after": 2, "seconds": 60.0}),
        ("html status=503", {"name": "html", "status": 503}),
        ("expired-token", {"times": 1}),
        ("slow seconds=0.5 every=2 simulator=openai", {"seconds": 0.5, "every": 2}),
    ],
)
def test_a_fault_is_read(text, members):
    fault = read_fault(text)
    assert {name: getattr(fault, name) for name in members} == members


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "200", "600", "429 colour=red", "cut after=x", "429 seen=1", "500 every=0"],
)
def test_a_fault_that_cannot_be_read_is_an_error(text):
    with pytest.raises(ValueError, match="fault"):
        read_fault(text)


def test_faults_hit_whom_they_are_meant_for_and_as_often():
    book = FaultBook(["500 times=2 simulator=openai", "slow on=/models", "429 every=3"])
    seen = [[f.name for f in book.plan("openai", "/chat").faults] for _ in range(4)]
    assert seen == [["500"], ["500"], ["429"], []]
    assert [f.name for f in book.plan("gigachat", "/models").faults] == ["slow"]
    assert [f.name for f in book.plan("gigachat", "/oauth").faults] == []
    assert [f.name for f in book.plan("gigachat", "/chat").faults] == ["429"]


def test_directives_are_read_and_taken_out_of_the_text():
    plan = Plan()
    text = (
        "a [[pace:20ms]] b [[chunks:50]][[split:7]] [[fault:cut after=1]] [[say: x ]]c [[fault:?]]"
    )
    assert FaultBook().read_directives(plan, text) == "a b c [[fault:?]]"
    assert (plan.pace, plan.chunks, plan.split, plan.say) == (0.02, 50, 7, " x ")
    assert [fault.name for fault in plan.faults] == ["cut"]


@pytest.mark.parametrize(("text", "seconds"), [("20ms", 0.02), ("1.5s", 1.5), ("2", 2.0)])
def test_durations_are_read(text, seconds):
    assert read_duration(text) == seconds


def test_nonsense_is_no_duration():
    with pytest.raises(ValueError, match="soon"):
        read_duration("soon")


def ask(simulator, upstream, text, **members):
    path, key, model = PATHS[upstream]
    body = {"model": model, "messages": [{"role": "user", "content": text}], **members}
    return simulator.post(path, body, {"authorization": f"Bearer {key}"})


def raw_ask(simulator, upstream, text, **members):
    """Everything that comes over the socket until the other side closes it."""
    path, key, model = PATHS[upstream]
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}], **members})
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(simulator.address, timeout=10) as connection:
        connection.sendall((head + body).encode())
        received = b""
        while part := connection.recv(65536):
            received += part
    return received


both = pytest.mark.parametrize("upstream", list(PATHS))


@both
def test_an_error_has_the_upstreams_shape(simulator, upstream):
    reply = ask(simulator, upstream, "[[fault:429 retry-after=1]]")
    assert (reply.status, reply.headers["retry-after"]) == (429, "1")
    body = reply.json["error"] if upstream == "openai" else reply.json
    assert "Too Many Requests" in body["message"]


@both
def test_html_comes_where_json_is_expected(simulator, upstream):
    reply = ask(simulator, upstream, "[[fault:html]]")
    assert (reply.status, reply.headers["content-type"]) == (502, "text/html")
    assert reply.body.startswith(b"<html>")


@both
@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_cut_stream_has_so_many_events_and_no_end(simulator, upstream, after):
    received = raw_ask(simulator, upstream, f"[[fault:cut after={after}]] Hello there", stream=True)
    assert received.startswith(b"HTTP/1.1 200")
    assert received.count(b"\ndata: ") == after
    assert b"[DONE]" not in received
    assert not received.endswith(b"0\r\n\r\n")


@both
def test_a_cut_within_an_event_leaves_a_promised_chunk_short(simulator, upstream):
    received = raw_ask(simulator, upstream, "[[fault:cut after=2 bytes=10]] Hello", stream=True)
    assert received.count(b"\ndata: ") == 3
    size, _, rest = received.rpartition(b"\r\n")[0].rpartition(b"\r\n")[2], None, received[-10:]
    assert int(size, 16) > 10
    assert rest.startswith(b"data: ")


@both
def test_a_cut_body_is_shorter_than_promised(simulator, upstream):
    received = raw_ask(simulator, upstream, "[[fault:cut bytes=7]] Hello")
    head, _, body = received.partition(b"\r\n\r\n")
    assert len(body) == 7
    promised = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
    assert int(promised) > 7


@both
def test_a_reset_is_seen_as_a_reset(simulator, upstream):
    with pytest.raises(ConnectionResetError):
        raw_ask(simulator, upstream, "[[fault:cut after=0 reset=true]]", stream=True)


@both
def test_a_dropped_connection_has_no_answer(simulator, upstream):
    assert raw_ask(simulator, upstream, "[[fault:drop]]") == b""


@both
@pytest.mark.parametrize("stream", [True, False])
def test_a_bad_chunk_is_malformed(simulator, upstream, stream):
    received = raw_ask(simulator, upstream, "[[fault:bad-chunk]] Hello", stream=stream)
    assert b"transfer-encoding: chunked" in received
    assert b"\r\nZZ\r\n" in received


@both
@pytest.mark.parametrize("stream", [True, False])
def test_bad_json_is_framed_well(simulator, upstream, stream):
    reply = ask(simulator, upstream, "[[fault:bad-json]] Hello", stream=stream)
    documents = reply.body.decode().split("\n\n")[1:2] if stream else [reply.body.decode()]
    with pytest.raises(json.JSONDecodeError):
        json.loads(documents[0].removeprefix("data: "))


@both
def test_a_stalled_stream_stops_and_goes_on(simulator, upstream):
    reply = ask(simulator, upstream, "[[fault:stall after=2 seconds=0.05]] Hello", stream=True)
    assert reply.events[-1] == "[DONE]"
    assert ask(simulator, upstream, "[[fault:stall seconds=0.05]] Hello").status == 200
    assert simulator.view()["faults_done"] == {"stall": 2}


@both
def test_an_event_may_be_missing_at_the_end(simulator, upstream):
    assert "[DONE]" not in ask(simulator, upstream, "[[fault:no-done]]", stream=True).events
    unfinished = ask(simulator, upstream, "[[fault:no-finish]]", stream=True).body
    assert b'"finish_reason":"' not in unfinished
    assert unfinished.endswith(b"[DONE]\n\n")


@both
def test_usage_may_be_missing(simulator, upstream):
    members = {"stream_options": {"include_usage": True}} if upstream == "openai" else {}
    reply = ask(simulator, upstream, "[[fault:no-usage]] Hello", stream=True, **members)
    assert not [event for event in reply.events[:-1] if event.get("usage")]
    assert "usage" not in ask(simulator, upstream, "[[fault:no-usage]] Hello").json


@both
def test_an_error_may_come_within_a_stream(simulator, upstream):
    received = raw_ask(
        simulator, upstream, "[[fault:error-in-stream after=2]] Hello", stream=True
    ).decode()
    events = [line for line in received.split("\r\n") if line.startswith("data: ")]
    assert len(events) == 3
    last = json.loads(events[-1].removeprefix("data: "))
    assert last.get("error", last)["message"]
    assert "[DONE]" not in received


@both
def test_the_token_expires_once(simulator, upstream):
    text = "[[fault:expired-token]] Hello"
    simulator_token = simulator.gigachat_token() if upstream == "gigachat" else None
    send = (
        (lambda: ask(simulator, upstream, text))
        if upstream == "openai"
        else (
            lambda: simulator.gigachat(
                {"model": "GigaChat", "messages": [{"role": "user", "content": text}]},
                token=simulator_token,
            )
        )
    )
    assert send().status == 401
    if upstream == "gigachat":
        assert send().status == 401
        simulator_token = simulator.gigachat_token()
    assert send().status == 200


@both
def test_the_answer_can_be_said_paced_counted_and_split(simulator, upstream):
    reply = ask(simulator, upstream, "[[say:буквально 🙂]]")
    assert reply.json["choices"][0]["message"]["content"] == "буквально 🙂"
    for count in (1, 5, 50):
        text = f"[[chunks:{count}]][[pace:1ms]] Hello"
        *events, _ = ask(simulator, upstream, text, stream=True).events
        contents = [event["choices"][0]["delta"].get("content") for event in events]
        assert len([content for content in contents if content]) == count
    whole = ask(simulator, upstream, "[[split:1]] Привет")
    assert "Привет" in whole.json["choices"][0]["message"]["content"]
    received = raw_ask_once(simulator, upstream, "[[split:3]] Привет", stream=True)
    assert b"\r\n3\r\ndat\r\n" in received


def raw_ask_once(simulator, upstream, text, **members):
    """The bytes of one answer that ends as it should."""
    path, key, model = PATHS[upstream]
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}], **members})
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
        f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(simulator.address, timeout=10) as connection:
        connection.sendall((head + body).encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


@both
def test_queued_faults_hit_the_next_requests_only(simulator, upstream):
    other = next(name for name in PATHS if name != upstream)
    view = simulator.control(
        faults=[{"fault": "503 retry-after=4", "simulator": upstream, "times": 2}]
    )
    assert len(view["waiting_faults"]) == 1
    assert ask(simulator, other, "x").status == 200
    assert [ask(simulator, upstream, "x").status for _ in range(3)] == [503, 503, 200]
    assert simulator.view()["waiting_faults"] == []


def test_token_fetches_fail_only_when_they_are_named(simulator):
    simulator.control(faults=[{"fault": "500", "on": "/oauth"}])
    headers = {"authorization": "Basic x"}
    reply = simulator.post("/gigachat/oauth", b"", headers)
    assert (reply.status, reply.json["code"]) == (500, 500)
    assert simulator.post("/gigachat/oauth", b"", headers).status == 401


def test_a_fault_given_at_the_start_stands():
    with running_simulator(SimulatorOptions(faults=["429:retry-after=2"])) as running:
        for _ in range(2):
            assert ask(running, "openai", "x").headers["retry-after"] == "2"
        running.control(clear_faults=True)
        assert ask(running, "openai", "x").status == 200


def test_a_bad_fault_stops_the_start():
    with (
        pytest.raises(ValueError, match="nonsense"),
        running_simulator(SimulatorOptions(faults=["nonsense"])),
    ):
        pytest.fail("it started")
