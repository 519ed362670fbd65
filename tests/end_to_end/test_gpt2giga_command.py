"""``dragoman gpt2giga`` as its users start it: their command line, their ``.env``, the SDK."""

import base64
import json
import socket
import ssl
import subprocess

import httpx
import openai
import pytest
import trustme

from dragoman.simulators.options import GIGACHAT_KEYS
from support.gpt2giga import COMMAND, env_file, free_port, running_gpt2giga
from support.polling import until

KEY = "canary-proxy-key-5512"
CANARY_CREDENTIAL = base64.b64encode(b"canary-client-17:canary-secret-42").decode()
IMAGE = base64.b64encode(b"some picture " * 500).decode()


def client_of(running, key="any", path=""):
    return openai.OpenAI(base_url=running.url + path, api_key=key, max_retries=0)


def say(client, model, text="Hello", **more):
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(model=model, messages=messages, **more)


async def test_the_readmes_example_serves_the_sdk(simulator, tmp_path):
    (tmp_path / ".env").write_text(env_file(simulator, key=GIGACHAT_KEYS[0]))
    example = (
        f"--proxy-host 127.0.0.1 --proxy-port {free_port()} --proxy-log-level --pass-model"
        f" --pass-token --base-url {simulator.url}/gigachat/api/v1 --model GigaChat-Max"
        " --timeout 300 --embeddings EmbeddingsGigaR"
    )
    with running_gpt2giga(tmp_path, *example.split()) as running:
        own = f"giga-cred-{GIGACHAT_KEYS[1]}"  # the example passes tokens on
        for path in ("", "/v1", "/v2", "/api/v1"):
            answer = say(client_of(running, own, path), "GigaChat-2-Max")
            assert answer.model == "GigaChat-2-Max"
            assert answer.choices[0].message.content
        chunks = list(say(client_of(running, own), "GigaChat-2-Max", stream=True))
        assert chunks[-1].choices[0].finish_reason == "stop"
        client = client_of(running, own, "/v1")
        await until(lambda: "GigaChat-2-Max" in [model.id for model in client.models.list()])
        raw = client_of(running, own).chat.completions.with_raw_response.create(
            model="GigaChat-2-Max", messages=[{"role": "user", "content": "Hi"}]
        )
        assert raw.headers["x-dragoman-target"] == "gigachat/GigaChat-2-Max"
        with pytest.raises(openai.BadRequestError, match="giga-cred-"):
            say(client_of(running), "GigaChat-2-Max")
    assert running.process.returncode == 0
    log = (tmp_path / "gpt2giga.log").read_text()
    assert "request received" in log
    assert "answer sent" in log
    assert "Hello" in log
    for key in GIGACHAT_KEYS[:2]:
        assert key not in log + running.printed


def test_the_readmes_docker_env_answers_any_name_with_the_configured_model(simulator, tmp_path):
    more = {
        "GPT2GIGA_HOST": "0.0.0.0",
        "GPT2GIGA_PROXY_PORT": free_port(),
        "GIGACHAT_MODEL": "GigaChat-2",
        "GIGACHAT_VERIFY_SSL_CERTS": "False",
        "GPT2GIGA_PASS_MODLE": "True",
    }
    (tmp_path / ".env").write_text(env_file(simulator, key=GIGACHAT_KEYS[0], **more))
    with running_gpt2giga(tmp_path) as running:
        running.url = running.url.replace("0.0.0.0", "127.0.0.1")
        for name in ("gpt-4o", "openai/whatever"):
            raw = client_of(running).chat.completions.with_raw_response.create(
                model=name, messages=[{"role": "user", "content": "Hi"}]
            )
            assert raw.headers["x-dragoman-target"] == "gigachat/GigaChat-2"
            assert raw.parse().model == name
        nameless = {"messages": [{"role": "user", "content": "Hi"}]}
        answer = httpx.post(running.url + "/chat/completions", json=nameless)
        assert (answer.status_code, answer.json()["model"]) == (200, "GigaChat-2")
    assert '"*":["gigachat/GigaChat-2"]' in running.printed
    for words in ("everybody who reaches 0.0.0.0", "verify_tls", "GPT2GIGA_PASS_MODEL?"):
        assert words in running.printed


CARRIERS = [
    ({"authorization": f"Bearer {KEY}"}, ""),
    ({"x-api-key": KEY}, ""),
    ({"x-goog-api-key": KEY}, ""),
    ({}, f"?x-api-key={KEY}"),
    ({}, f"?key={KEY}"),
]


def test_protection_and_everything_written_down_hold_no_secret(simulator, tmp_path):
    """The key by all its carriers, wrong ones, open pages; then a look at all that was written."""
    simulator.control(options={"gigachat_keys": {CANARY_CREDENTIAL: []}})
    more = {
        "GPT2GIGA_PORT": free_port(),
        "GPT2GIGA_MODE": "PROD",
        "GPT2GIGA_API_KEY": KEY,
        "GPT2GIGA_LOG_LEVEL": "DEBUG",
        "GPT2GIGA_LOG_FILENAME": "own.log",
        "GPT2GIGA_TRAFFIC_LOG_ENABLED": "True",
        "GPT2GIGA_TRAFFIC_LOG_SINK": "jsonl",
        "GPT2GIGA_TRAFFIC_LOG_CAPTURE_CONTENT": "True",
        "GPT2GIGA_CORS_ALLOW_ORIGINS": '["*","https://a.example"]',
    }
    (tmp_path / ".env").write_text(env_file(simulator, key=CANARY_CREDENTIAL, **more))
    body = {"model": "GigaChat-2", "messages": [{"role": "user", "content": "Hi"}]}
    chat = "/v1/chat/completions"
    with running_gpt2giga(tmp_path) as running, httpx.Client(base_url=running.url) as http:
        for headers, query in CARRIERS:
            assert http.post(chat + query, json=body, headers=headers).status_code == 200
            assert http.get("/v1/models" + query, headers=headers).status_code == 200
        for headers in (
            {},
            {"authorization": "Bearer giga-cred-Y2FuYXJ5:PERS"},
            {"x-api-key": "w"},
        ):
            refused = http.post(chat, json=body, headers=headers)
            assert refused.status_code == 401
            assert set(refused.json()["error"]) == {"message", "type", "param", "code"}
            assert http.get("/models", headers=headers).status_code == 401
        for method, path in [
            ("GET", "/health"), ("POST", "/health"), ("GET", "/ping"), ("POST", "/ping"),
            ("GET", "/ready"), ("GET", "/"), ("GET", "/api/ping/"),
        ]:  # fmt: skip
            answer = http.request(method, path)
            assert answer.status_code == 200, path
            assert answer.headers["x-request-id"]
        for path in ("/bridge/models", "/logs", "/docs", "/_admin/logs", "/v1/v2/models"):
            assert http.get(path).json()["error"]["code"] == "unknown_url", path
        page = {"origin": "https://a.example", "access-control-request-method": "POST"}
        allowed = http.options(chat, headers=page)
        assert allowed.headers["access-control-allow-origin"] == "https://a.example"
        assert "access-control-allow-credentials" not in allowed.headers
        assert (
            http.options(chat, headers={**page, "origin": "https://b.example"}).status_code == 400
        )
        secretive = {"access_token": "canary-argument", "file": f"data:image/png;base64,{IMAGE}"}
        with http.stream(
            "POST", chat, json={**body, "stream": True}, headers={"x-api-key": KEY}
        ) as stream:
            assert stream.read().endswith(b"data: [DONE]\n\n")
        body["messages"][0]["content"] = json.dumps(secretive)
        assert http.post(chat, json=body, headers={"x-api-key": KEY}).status_code == 200
        text = http.get("/metrics").text
        assert "dragoman_traffic_log_dropped 0.0" in text
    written = [running.printed]
    written += [(tmp_path / name).read_text() for name in ("own.log", "traffic_logs.jsonl")]
    assert all("Hi" in text for text in written)
    for text in written:
        for secret in (KEY, CANARY_CREDENTIAL, "canary", "Y2FuYXJ5", IMAGE[100:300]):
            assert secret not in text
    records = [json.loads(line) for line in written[2].splitlines()]
    assert [record["status_code"] for record in records] == [200] * 5 + [401] * 3 + [200] * 2
    assert records[-2]["response_body_redacted"].endswith("data: [DONE]\n\n")
    assert records[0]["caller"] == "key-1"


def test_https_with_the_old_names(simulator, tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    with (tmp_path / "cert.pem").open("wb") as file:
        for pem in certificate.cert_chain_pems:
            file.write(pem.bytes())
    (tmp_path / ".env").write_text(
        env_file(simulator, key=GIGACHAT_KEYS[0], GPT2GIGA_USE_HTTPS="True")
    )
    context = ssl.create_default_context()
    authority.configure_trust(context)
    flags = ["--proxy-https-cert-file", "cert.pem", "--proxy-https-key-file", "key.pem"]
    with running_gpt2giga(tmp_path, *flags, "--proxy-port", str(free_port())) as running:
        assert running.url.startswith("https://")
        url = running.url.replace("127.0.0.1", "localhost")
        with httpx.Client(verify=context) as http:
            client = openai.OpenAI(base_url=url, api_key="x", http_client=http, max_retries=0)
            assert say(client, "GigaChat-2").choices[0].message.content
            chunks = list(say(client, "GigaChat-2", "A long one [[chunks:50]]", stream=True))
            assert chunks[-1].choices[0].finish_reason == "stop"
        assert httpx.get(url + "/health", verify=context).status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(url + "/health")


def test_a_port_in_use_is_said_and_ends_with_1(simulator, tmp_path):
    (tmp_path / ".env").write_text(env_file(simulator, key=GIGACHAT_KEYS[0]))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, "--proxy-port", port],
            cwd=tmp_path,
            env={},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr


def test_inspecting_prints_the_settings_without_secrets(simulator, tmp_path):
    (tmp_path / ".env").write_text(
        env_file(simulator, key=CANARY_CREDENTIAL, GPT2GIGA_MODE="PROD", GPT2GIGA_API_KEY=KEY)
    )
    done = subprocess.run(
        [*COMMAND, "--inspect-config", "--proxy.port=8099"],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    shown = json.loads(done.stdout)
    assert shown["server"]["port"] == 8099
    assert (
        len(shown["server"]["api_keys"]) == len(shown["providers"]["gigachat"]["credentials"]) == 1
    )
    assert KEY not in done.stdout + done.stderr
    assert CANARY_CREDENTIAL not in done.stdout + done.stderr


async def test_a_full_disk_does_not_stop_the_service(simulator, tmp_path):
    more = {
        "GPT2GIGA_LOG_FILENAME": "/dev/full",
        "GPT2GIGA_TRAFFIC_LOG_ENABLED": "True",
        "GPT2GIGA_TRAFFIC_LOG_SINK": "jsonl",
        "GPT2GIGA_TRAFFIC_LOG_JSONL_PATH": "/dev/full",
        "GPT2GIGA_PORT": free_port(),
    }
    (tmp_path / ".env").write_text(env_file(simulator, key=GIGACHAT_KEYS[0], **more))
    with running_gpt2giga(tmp_path) as running:
        for _ in range(3):
            assert say(client_of(running), "GigaChat-2").choices[0].message.content

        def counted():
            return "dragoman_traffic_log_dropped 3.0" in httpx.get(running.url + "/metrics").text

        await until(counted)
    assert running.printed.count("a log file cannot be written") == 2
