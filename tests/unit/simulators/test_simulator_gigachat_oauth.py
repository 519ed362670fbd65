"""GigaChat's token endpoint as the simulator has it, and what is closed without a token."""

import base64

import pytest

from dragoman.simulators.options import GIGACHAT_CORPORATE_KEY, GIGACHAT_KEYS

UUID = "6f0b1291-c7f3-43c6-bb2e-9f3efb2dc98e"


def chat():
    return {"model": "GigaChat", "messages": [{"role": "user", "content": "Hello"}]}


def oauth(simulator, form=b"scope=GIGACHAT_API_PERS", **headers):
    usual = {
        "authorization": f"Basic {GIGACHAT_KEYS[0]}",
        "rquid": UUID,
        "content-type": "application/x-www-form-urlencoded",
    }
    given = {k: v for k, v in (usual | headers).items() if v is not None}
    return simulator.post("/gigachat/oauth", form, given)


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_a_key_buys_a_token_that_opens_the_api(simulator, scheme):
    reply = oauth(simulator, authorization=f"{scheme} {GIGACHAT_KEYS[1]}")
    assert set(reply.json) == {"access_token", "expires_at"}
    assert reply.json["expires_at"] > 10_000_000_000
    assert simulator.gigachat(chat(), token=reply.json["access_token"]).status == 200
    assert simulator.view()["token_fetches"] == 1


def test_the_other_shape_of_a_token_counts_seconds(simulator):
    simulator.control(options={"token_shape": "tok"})
    reply = oauth(simulator)
    assert set(reply.json) == {"tok", "exp"}
    assert reply.json["exp"] < 10_000_000_000


def test_a_password_buys_a_token_too(simulator):
    basic = base64.b64encode(b"simulated-user:simulated-password").decode()
    path = "/gigachat/api/v1/token"
    reply = simulator.post(path, b"", {"authorization": f"Basic {basic}"})
    assert simulator.gigachat(chat(), token=reply.json["tok"]).status == 200
    assert simulator.post(path, b"", {"authorization": "Basic eDp5"}).status == 401


@pytest.mark.parametrize(
    ("headers", "form", "status", "code"),
    [
        ({"authorization": "Basic not base64!"}, b"scope=GIGACHAT_API_PERS", 401, 4),
        ({"authorization": None}, b"scope=GIGACHAT_API_PERS", 401, 4),
        ({"rquid": None}, b"scope=GIGACHAT_API_PERS", 400, 3),
        ({"rquid": "1"}, b"scope=GIGACHAT_API_PERS", 400, 3),
        ({}, b"", 400, 5),
        ({"content-type": "application/json"}, b'{"scope":"GIGACHAT_API_PERS"}', 400, 5),
        ({}, b"scope=everything", 400, 1),
        ({"authorization": "Basic eDp5"}, b"scope=GIGACHAT_API_PERS", 401, 6),
        (
            {"authorization": f"Basic {GIGACHAT_CORPORATE_KEY}"},
            b"scope=GIGACHAT_API_PERS",
            400,
            7,
        ),
    ],
)
def test_token_requests_are_refused_in_their_own_shape(simulator, headers, form, status, code):
    reply = oauth(simulator, form, **headers)
    assert (reply.status, reply.json["code"]) == (status, code)
    assert set(reply.json) == {"code", "message"}
    assert simulator.view()["token_fetches"] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/chat/completions"),
        ("post", "/embeddings"),
        ("post", "/tokens/count"),
        ("get", "/models"),
        ("get", "/models/GigaChat"),
        ("get", "/balance"),
    ],
)
def test_nothing_is_served_without_a_token(simulator, method, path):
    arguments = (b"{}",) if method == "post" else ()
    for headers in ({}, {"authorization": "Bearer nonsense"}):
        reply = getattr(simulator, method)(f"/gigachat/api/v1{path}", *arguments, headers)
        assert (reply.status, reply.json) == (401, {"status": 401, "message": "Token has expired"})


def test_an_expired_token_is_refused(simulator):
    simulator.control(options={"token_lifetime": 0})
    assert simulator.gigachat(chat(), token=simulator.gigachat_token()).status == 401
    simulator.control(options={"token_lifetime": 1800})
    token = simulator.gigachat_token()
    assert simulator.gigachat(chat(), token=token).status == 200
    simulator.control(expire_tokens=True)
    assert simulator.gigachat(chat(), token=token).status == 401
