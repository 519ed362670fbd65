"""The gateway's own GigaChat credentials, each kind, over real sockets and TLS."""

import contextlib
import io
import json

import pytest

from dragoman import checkup
from dragoman.settings_sources import load
from support.certificates import Certificates, secure_simulator
from support.gateway import running_gateway
from support.own_credentials import CHOICES, KEYS, MODEL, SERVERS_KEY, TOKENS, ask, askers, shown
from support.raw_http import said_error
from support.simulator import running_simulator
from support.target_gateways import QUIET

SETTINGS = QUIET.replace("[providers.gigachat.limits]\nin_flight = 0", "")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def lasting_simulator(certificates):
    with secure_simulator(certificates) as simulator:
        yield simulator


@pytest.fixture
def simulator(lasting_simulator):
    lasting_simulator.reset()
    lasting_simulator.control(options=CHOICES)
    return lasting_simulator


@pytest.fixture
def serve(simulator, certificates, tmp_path):
    """Starts a gateway whose provider has ``members``."""
    with contextlib.ExitStack() as stack:

        def start(members, *, ca=True, level="error"):
            bundle = f'ca_bundle = "{certificates.authority}"' if ca else ""
            toml = f"""{SETTINGS.replace('"error"', f'"{level}"')}
[providers.gigachat]
base_url = "{simulator.url}/gigachat/api/v1"
auth_url = "{simulator.url}/gigachat/oauth"
models = ["{MODEL}"]
{bundle}
{members}
"""
            gateway = stack.enter_context(running_gateway(toml, tmp_path, learn=False))
            gateway.wait_until_discovered()
            return gateway

        yield start


@pytest.fixture
def mutual(certificates):
    return (
        f'client_certificate = "{certificates.client}"\nclient_key = "{certificates.client_key}"\n'
    )


@pytest.mark.parametrize(
    ("members", "key"),
    [
        ('user = "ivan"\npassword = "pass:word"', "ivan"),
        ('credentials = ["user:maria:secret"]', "maria"),
        (f'credentials = ["{KEYS[-1]}:CORP"]', KEYS[-1]),
        (f'credentials = ["{KEYS[-1]}"]\nscope = "corp"', KEYS[-1]),
        (f'credentials = ["token:{TOKENS[0]}"]', TOKENS[0]),
        (f'access_token = "{TOKENS[1]}"', TOKENS[1]),
    ],
)
def test_each_kind_of_credential_serves(serve, simulator, members, key):
    gateway = serve(members)
    for stream in (False, True):
        assert ask(gateway, stream=stream).status == 200
    assert askers(simulator)[key][MODEL] == 2
    assert set(askers(simulator)) == {key}


@pytest.mark.parametrize("members", ['user = "ivan"\npassword = "pass:word"', ""])
def test_keys_examines_users_and_certificates(simulator, certificates, tmp_path, mutual, members):
    (tmp_path / "dragoman.toml").write_text(f"""
[providers.gigachat]
base_url = "{simulator.url}/gigachat/api/v1"
auth_url = "{simulator.url}/gigachat/oauth"
ca_bundle = "{certificates.authority}"
{members or mutual}""")
    out = io.StringIO()
    code = checkup.run(load({}, environ={}, cwd=tmp_path), as_json=True, out=out)
    (finding,) = json.loads(out.getvalue())
    assert (code, finding["state"]) == (0, "ok"), finding
    assert finding["models"]
    assert set(askers(simulator)) == {"ivan" if members else "certificate:company"}


def test_a_users_token_is_renewed(serve, simulator):
    gateway = serve('user = "ivan"\npassword = "pass:word"')
    assert ask(gateway).status == 200
    simulator.control(expire_tokens=True)
    assert ask(gateway).status == 200
    assert simulator.view()["token_fetches"] == 2


def test_a_client_certificate_alone_signs(serve, simulator, mutual):
    assert ask(serve(mutual)).status == 200
    assert set(askers(simulator)) == {"certificate:company"}
    assert shown(simulator) == []


def test_a_certificate_beside_a_token_and_beside_a_key(serve, simulator, mutual):
    assert ask(serve(f'{mutual}access_token = "{TOKENS[0]}"')).status == 200
    assert set(askers(simulator)) == {TOKENS[0]}
    assert ask(serve(f'{mutual}credentials = ["{SERVERS_KEY}"]')).status == 200
    assert set(askers(simulator)) == {TOKENS[0], SERVERS_KEY}


def test_the_gateways_certificate_is_never_shown_for_a_guest(serve, simulator, mutual):
    gateway = serve(f"{mutual}callers_credentials = true")
    simulator.control(reset=True)
    assert ask(gateway, f"giga-auth-{TOKENS[0]}").status == 200
    assert ask(gateway, "giga-auth-unknown").status == 401
    assert set(askers(simulator)) == {TOKENS[0]}
    assert ask(gateway).status == 200
    assert set(askers(simulator)) == {TOKENS[0], "certificate:company"}


def test_the_token_host_is_not_shown_the_certificate(simulator, certificates, tmp_path, mutual):
    """It is another host, so the connection is another one as well."""
    with running_simulator(options=simulator.server.options) as tokens:
        toml = f"""{SETTINGS}
[providers.gigachat]
base_url = "{simulator.url}/gigachat/api/v1"
auth_url = "{tokens.url}/gigachat/oauth"
ca_bundle = "{certificates.authority}"
models = ["{MODEL}"]
credentials = ["{SERVERS_KEY}"]
{mutual}"""
        with running_gateway(toml, tmp_path, learn=False) as gateway:
            networks = gateway.house.networks["gigachat"]
            assert networks.api is not networks.bare
            ask(gateway)
            assert list(networks.bare._pools) != list(networks.api._pools)
            assert tokens.view()["requests"]["POST /gigachat/oauth"] >= 1


@pytest.mark.parametrize(
    ("members", "advice"),
    [
        ('user = "ivan"\npassword = "wrong"', "user or password is wrong"),
        (f'credentials = ["{KEYS[-1]}"]', "belongs to another scope"),
        ('credentials = ["dW5rbm93bjprZXk="]', "wrong or revoked"),
        ('access_token = "expired"', "has expired"),
    ],
)
def test_a_refused_credential_is_explained_to_the_operator_alone(serve, members, advice):
    gateway = serve(members)
    reply = ask(gateway)
    assert reply.status == 502
    assert advice not in said_error(reply)["message"]
    (key,) = gateway.ask_loop(gateway.house.brokers["gigachat"].snapshot).keys
    assert key.state == "disabled"
    assert advice in key.reason


def test_the_russian_authority_is_asked_for_by_name(serve, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr("sys.stderr", log)
    gateway = serve(f'credentials = ["{SERVERS_KEY}"]', ca=False, level="warning")
    reply = ask(gateway)
    assert reply.status == 502
    assert "127.0.0.1" not in said_error(reply)["message"]
    for words in ("Russian Trusted Root CA", "ca_bundle", "GIGACHAT_CA_BUNDLE_FILE"):
        assert words in log.getvalue()
