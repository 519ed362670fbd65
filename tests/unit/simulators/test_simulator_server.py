"""The server around the simulators: control, settings, departures, crowds."""

import asyncio
import logging
import socket
import time
import tomllib

import httpx
import pytest

from dragoman.simulators.options import GIGACHAT_KEYS, OPENAI_KEYS, SimulatorOptions
from dragoman.simulators.server import SimulatorServer, config_toml, create_app
from support.fake_clock import FakeClock

CROWD = 2000
ATTEMPTS = 1000
CHAT = "/openai/v1/chat/completions"
HEADERS = {"authorization": f"Bearer {OPENAI_KEYS[0]}"}


def chat(text, **members):
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **members}


def test_the_journal_shows_what_arrived(simulator):
    simulator.openai(chat("Привет"))
    simulator.get("/openai/v1/models", HEADERS)
    view = simulator.view()
    assert view["requests"] == {f"POST {CHAT}": 1, "GET /openai/v1/models": 1}
    assert view["statuses"] == {"200": 2}
    assert view["in_flight"]["openai"] == 0
    assert view["most_in_flight"] == {"openai": 1}
    first = view["last_requests"][0]
    assert first["body"] == chat("Привет")
    assert ["authorization", HEADERS["authorization"]] in first["headers"]
    assert simulator.control(reset=True)["requests"] == {}


@pytest.mark.parametrize(
    "order",
    [
        {"options": {"no_such_option": 1}},
        {"options": {"pace": "quick"}},
        {"faults": ["nonsense"]},
        {"unknown": 1},
        b"{",
    ],
)
def test_a_bad_order_changes_nothing(simulator, order):
    before = simulator.view()
    reply = simulator.post("/_control", order)
    assert (reply.status, list(reply.json)) == (400, ["error"])
    assert simulator.view() == before


def test_unknown_paths_and_methods_are_refused(simulator):
    assert simulator.get("/nowhere").status == 404
    assert simulator.get(CHAT).status == 405


def test_the_settings_name_the_urls_and_the_accepted_credentials(simulator):
    settings = tomllib.loads(simulator.server.config_toml())
    gigachat, compatible = settings["providers"]["gigachat"], settings["providers"]["openai"]
    assert gigachat == {
        "kind": "gigachat",
        "base_url": f"{simulator.url}/gigachat/api/v1",
        "auth_url": f"{simulator.url}/gigachat/oauth",
        "scope": "GIGACHAT_API_PERS",
        "credentials": list(GIGACHAT_KEYS),
    }
    assert compatible["kind"] == "openai_compatible"
    assert compatible["base_url"] == simulator.server.openai_url
    for model in settings["models"].values():
        assert {target.split("/")[0] for target in model["targets"]} <= set(settings["providers"])
    key = compatible["credentials"][-1]
    assert simulator.openai(chat("x"), key=key).status == 200
    token = simulator.gigachat_token(gigachat["credentials"][-1])
    body = {**chat("x"), "model": "GigaChat"}
    assert simulator.gigachat(body, token=token).status == 200
    assert config_toml("http://h:1/") == config_toml("http://h:1")


def test_the_application_also_runs_under_another_server():
    async def ask(client, text):
        return await client.post(CHAT, json=chat(text, stream=True), headers=HEADERS)

    async def main():
        transport = httpx.ASGITransport(create_app(SimulatorOptions()), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            answer = await ask(client, "[[pace:1ms]] Hello")
            return answer, await ask(client, "[[fault:drop]]")

    answer, failed = asyncio.run(main())
    assert answer.text.endswith("[DONE]\n\n")
    assert failed.status_code == 500


def test_tokens_expire_by_the_clock_that_is_handed_in():
    clock = FakeClock()
    options = SimulatorOptions(token_lifetime=2)

    async def main():
        transport = httpx.ASGITransport(create_app(options, clock))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            bought = await client.post(
                "/gigachat/oauth",
                data={"scope": "GIGACHAT_API_PERS"},
                headers={
                    "authorization": f"Basic {GIGACHAT_KEYS[0]}",
                    "rquid": "6f0b1291-c7f3-43c6-bb2e-9f3efb2dc98e",
                },
            )
            headers = {"authorization": f"Bearer {bought.json()['access_token']}"}
            path = "/gigachat/api/v1/models"
            fresh = await client.get(path, headers=headers)
            clock.advance(2.5)
            return fresh.status_code, (await client.get(path, headers=headers)).status_code

    assert asyncio.run(main()) == (200, 401)


@pytest.mark.parametrize(
    "text", ["[[fault:stall after=1 seconds=60]]", "[[fault:slow seconds=60]]"]
)
def test_a_client_that_leaves_is_noticed_at_once(simulator, text):
    body = httpx.Request("POST", simulator.url + CHAT, json=chat(text, stream=True)).content
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {OPENAI_KEYS[0]}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(simulator.address) as connection:
        connection.sendall(head.encode() + body)
        wait_until(lambda: simulator.view()["in_flight"].get("openai") == 1)
    wait_until(lambda: simulator.view()["in_flight"]["openai"] == 0)
    assert simulator.view()["disconnects"] == 1


def test_a_client_that_leaves_in_the_middle_of_its_own_body_is_noticed(simulator):
    with socket.create_connection(simulator.address) as connection:
        connection.sendall(
            f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{{".encode()
        )
        wait_until(lambda: simulator.view()["in_flight"].get("openai") == 1)
    wait_until(lambda: simulator.view()["disconnects"] == 1)


def wait_until(holds):
    for _ in range(ATTEMPTS):
        if holds():
            return
        time.sleep(0.01)
    pytest.fail("it did not come to pass")


@pytest.fixture
def many_descriptors():
    """Both ends of all connections are in this process."""
    resource = pytest.importorskip("resource", reason="Windows has no such limit to raise")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CROWD + 200
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this system allows {hard} open files to a process; {wanted} are needed")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_crowd_is_served_at_the_same_time_and_its_departure_noticed(many_descriptors):
    body = httpx.Request(
        "POST", "http://x", json=chat("[[fault:stall after=1 seconds=60]]", stream=True)
    ).content
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {OPENAI_KEYS[0]}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )

    async def begin(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + body)
        await reader.readuntil(b"data: ")
        return writer

    async with SimulatorServer() as server, httpx.AsyncClient() as client:
        port = httpx.URL(server.url).port
        writers = await asyncio.gather(*(begin(port) for _ in range(CROWD)))
        view = (await client.get(server.control_url)).json()
        assert view["in_flight"]["openai"] == CROWD
        for writer in writers:
            writer.close()
        for _ in range(ATTEMPTS):
            view = (await client.get(server.control_url)).json()
            if not view["in_flight"]["openai"]:
                break
            await asyncio.sleep(0.01)
    assert (view["in_flight"]["openai"], view["disconnects"]) == (0, CROWD)


async def test_stopping_cuts_what_runs_and_frees_the_port(caplog):
    server = SimulatorServer()
    await server.start()
    async with httpx.AsyncClient() as client:
        running = asyncio.create_task(
            client.post(server.url + CHAT, json=chat("[[fault:slow seconds=60]]"), headers=HEADERS)
        )
        for _ in range(ATTEMPTS):
            if (await client.get(server.control_url)).json()["in_flight"].get("openai"):
                break
            await asyncio.sleep(0.01)
        with caplog.at_level(logging.WARNING):
            await server.stop()
        with pytest.raises(httpx.TransportError):
            await running
    await server.stop()
    assert caplog.records == []
    again = SimulatorServer(port=int(server.url.rpartition(":")[2]))
    async with again:
        assert again.url == server.url
