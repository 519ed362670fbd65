"""What is written down of conversations, and what never is."""

import base64
import json
import logging
from pathlib import Path

import pytest

from dragoman.telemetry.bodies import KEPT, kept, shown
from dragoman.telemetry.journals import Journals
from dragoman.telemetry.masking import Masked, Masker
from dragoman.telemetry.traffic import Conversation

IMAGE = base64.b64encode(bytes(range(256)) * 40).decode()
SECRETS = {
    "giga-cred-Y2FuYXJ5OmNhbmFyeQ==:GIGACHAT_API_PERS": "giga-cred-***",
    "giga-auth-canarytoken": "giga-auth-***",
    "giga-user-canary:password": "giga-user-***",
}


@pytest.mark.parametrize(("secret", "masked"), SECRETS.items())
def test_callers_credentials_are_masked_wherever_they_stand(secret, masked):
    assert Masker().mask(f"Bearer {secret} x") == "Bearer *** x"
    assert Masker().mask(f"key is {secret}, ok") == f"key is {masked}, ok"
    assert secret not in Masker().mask(json.dumps({"k": secret}))


def test_base64_is_shortened_and_the_rest_stays():
    body = json.dumps({"a": f"data:image/png;base64,{IMAGE}", "b": "Привет"}, ensure_ascii=False)
    text = shown(body.encode(), len(body.encode()), Masker())
    assert len(text) < 200
    assert json.loads(text)["b"] == "Привет"
    assert f"({len(IMAGE.rstrip('='))} characters)" in text or f"({len(IMAGE)} characters)" in text


@pytest.mark.parametrize(
    "body",
    [
        '{"password": "canary"}',
        '{"api_key":"canary"}',
        '{"x-goog-api-key": "canary"}',
        '{"arguments": "{\\"access_token\\": \\"canary\\"}"}',
        '{"arguments": "{\\\\\\"secret\\\\\\": \\\\\\"canary\\\\\\"}"}',
    ],
)
def test_members_that_are_called_secret_are_masked(body):
    assert "canary" not in shown(body.encode(), len(body), Masker())


def test_counts_of_tokens_stay():
    body = b'{"max_tokens": 5, "usage": {"total_tokens": 7}}'
    assert shown(body, len(body), Masker()) == body.decode()


def test_a_long_body_is_cut_and_says_so():
    body = b"x " * KEPT
    text = shown(kept(body), len(body), Masker())
    assert len(text) < KEPT + 100
    assert text.endswith(f"... ({KEPT} more bytes)")


@pytest.mark.parametrize(
    "body", [b"\\" * KEPT, b'"' * KEPT, b'\\"password' * 20_000, b"\xff" * KEPT]
)
def test_hostile_bodies_cost_no_more_than_others(body):
    """The work is linear: a quadratic pattern would take hours here, and the suite's time limit."""
    assert shown(kept(body), len(body), Masker())


def test_masked_text_passes_the_masker_whole():
    text = Masked("y " * KEPT)
    assert Masker().mask_event({"body": text})["body"] == text


def conversation(**members):
    members = {
        "time": 1_700_000_000.25,
        "request_id": "r1",
        "route": "/v1/chat/completions",
        "protocol": "openai_chat",
        "headers": [
            (b"user-agent", b"client/1"),
            (b"authorization", b"Bearer canary-key"),
            (b"cookie", b"canary=1"),
            (b"x-trace-id", b"t1"),
        ],
        "peer": "10.1.2.3",
        "token": b"canary-key",
        "caller": "key-1",
        "model": "gpt-4o",
        "target": "gigachat/GigaChat-2",
        "status": 200,
        "seconds": 0.125,
        "tokens": {"input": 3, "output": 4, "cached": 0},
        **members,
    }
    return Conversation(**members)


def written(folder, *conversations, content=False):
    path = Path(folder, "traffic.jsonl")
    journals = Journals(None, Masker(["canary-key"]))
    journals.add_traffic(path, max_bytes=10**6, keep=1, queue=100, content=content)
    (reader,) = journals.readers
    for one in conversations:
        reader.began(one)
        reader.ended(one)
    journals.close()
    assert journals.traffic_dropped == 0
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_record_of_the_traffic_log(tmp_path):
    first, second = written(
        tmp_path, conversation(), conversation(request_id="r2", peer="10.1.2.4")
    )
    assert first["created_at"] == "2023-11-14T22:13:20.250Z"
    assert {name: first[name] for name in ("id", "method", "route", "protocol", "provider")} == {
        "id": "traffic-r1",
        "method": "POST",
        "route": "/v1/chat/completions",
        "protocol": "openai_chat",
        "provider": "gigachat",
    }
    assert (first["model_requested"], first["model_effective"]) == ("gpt-4o", "GigaChat-2")
    assert (first["status_code"], first["latency_ms"], first["error_type"]) == (200, 125.0, None)
    assert first["trace_id"] == "t1"
    assert first["request_headers_redacted"] == {"user-agent": "client/1", "x-trace-id": "t1"}
    assert first["usage"] == {"input": 3, "output": 4, "cached": 0}
    assert len(first["client_ip_hash"]) == len(first["api_key_hash"]) == 16
    assert first["client_ip_hash"] != second["client_ip_hash"]
    assert first["api_key_hash"] == second["api_key_hash"]
    assert "canary" not in json.dumps([first, second])
    assert "10.1.2.3" not in json.dumps(first)
    assert "request_body_redacted" not in first


def test_the_content_is_json_where_it_is_some(tmp_path):
    request = b'{"model":"gpt-4o","messages":[{"role":"user","content":"canary-key"}]}'
    answer = b"data: {}\n\ndata: [DONE]\n\n"
    (record,) = written(
        tmp_path,
        conversation(
            request=request, request_size=len(request), answer=answer, answer_size=len(answer)
        ),
        content=True,
    )
    assert record["request_body_redacted"]["messages"][0]["content"] == "***"
    assert record["response_body_redacted"] == answer.decode()


def test_bodies_reach_the_log_at_debug_only(caplog):
    journals = Journals(None, Masker())
    journals.add_bodies()
    (reader,) = journals.readers
    note = conversation(request=b'{"a":1}', request_size=7, answer=b"{}", answer_size=2)
    with caplog.at_level(logging.DEBUG):
        reader.began(note)
        reader.ended(note)
        journals.close()
    fields = [record.event_fields for record in caplog.records]
    assert [one["body"] for one in fields] == ['{"a":1}', "{}"]
    assert all(record.levelno == logging.DEBUG for record in caplog.records)
