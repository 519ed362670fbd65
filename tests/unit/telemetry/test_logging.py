import io
import json
import logging

import pytest

from dragoman import errors
from dragoman.telemetry.logging import HINTS, configure, get_logger, hint_for
from dragoman.telemetry.masking import MASK, Masker

CANARY = "canary-7f3a-secret-value"


@pytest.fixture
def stream():
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield io.StringIO()
    root.handlers, root.level = handlers, level
    logging.getLogger("uvicorn.access").propagate = True


def events(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_its_fields(stream):
    configure("info", "json", stream, Masker())
    get_logger("dragoman.pool").info("A key has cooled", key_id="giga-1", request_id="r1")
    (event,) = events(stream)
    assert event.pop("time").endswith("Z")
    assert event == {
        "event": "A key has cooled",
        "key_id": "giga-1",
        "request_id": "r1",
        "level": "info",
        "logger": "dragoman.pool",
    }


def test_what_is_below_the_level_is_not_written(stream):
    configure("warning", "json", stream, Masker())
    logger = get_logger("dragoman.pool")
    logger.info("quiet")
    logging.getLogger("uvicorn.error").info("quiet")
    logger.warning("loud")
    assert [event["event"] for event in events(stream)] == ["loud"]


def test_a_logger_made_before_the_configuration_follows_it(stream):
    logger = get_logger("dragoman.early")
    configure("error", "json", io.StringIO(), Masker())
    configure("info", "json", stream, Masker())
    logger.info("here")
    assert len(events(stream)) == 1


def test_warnings_and_errors_carry_a_hint(stream):
    configure("info", "json", stream, Masker())
    logger = get_logger("dragoman.pool")
    logger.warning("Something odd")
    logger.error("A key is disabled", error=errors.UpstreamRejectedKey("no", detail="HTTP 401"))
    logger.warning("Known", hint="Do this.")
    odd, disabled, known = events(stream)
    assert odd["hint"]
    assert disabled["hint"] == HINTS["upstream_authentication"]
    assert (disabled["error"], disabled["error_message"]) == ("upstream_authentication", "no")
    assert disabled["error_detail"] == "HTTP 401"
    assert known["hint"] == "Do this."


def _all_kinds(of):
    yield of
    for child in of.__subclasses__():
        yield from _all_kinds(child)


def test_every_error_that_is_not_the_clients_has_a_hint_of_its_own():
    kinds = {
        kind.kind
        for kind in _all_kinds(errors.GatewayError)
        if not issubclass(kind, errors.ClientError) and kind.__module__ == "dragoman.errors"
    }
    assert kinds - set(HINTS) <= {"shutting_down"}
    assert hint_for(errors.QueueFull("full")) == HINTS["queue_full"]


def test_the_servers_own_loggers_come_out_the_same_way(stream):
    configure("info", "json", stream, Masker())
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 17)
    logging.getLogger("uvicorn.access").info("GET / 200")
    (event,) = events(stream)
    assert (event["event"], event["logger"]) == ("Started server process [17]", "uvicorn.error")


def fail():
    raise RuntimeError(CANARY)


@pytest.mark.parametrize("format_", ["json", "console"])
def test_a_registered_secret_never_comes_out(stream, format_):
    configure("debug", format_, stream, Masker([CANARY]))
    logger = get_logger("dragoman.x")
    logger.info(CANARY, header=CANARY, deep={"a": [CANARY]}, **{CANARY: 1})
    logger.warning("odd", error=errors.UpstreamBroken(CANARY, detail=CANARY), hint=CANARY)
    logger.bind(bound=CANARY).debug("bound")
    try:
        fail()
    except RuntimeError as error:
        logger.exception("failed", cause=error)
        logging.getLogger("uvicorn.error").exception("failed with %s", CANARY)
    logging.getLogger("some.library").warning("key %r", CANARY, extra={"more": CANARY})
    written = stream.getvalue()
    assert CANARY not in written
    assert written.count(MASK) >= 10
    assert "RuntimeError" in written


def test_the_console_form_is_for_reading(stream):
    configure("info", "console", stream, Masker())
    get_logger("dragoman.x").info("A key has cooled", key_id="giga-1")
    line = stream.getvalue()
    assert "A key has cooled" in line
    assert "key_id=giga-1" in line
    assert "\x1b" not in line
