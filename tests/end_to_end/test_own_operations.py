"""What is beside conversations, for callers who bring GigaChat credentials of their own."""

import openai
import pytest

from support.own_credentials import CHOICES, KEYS, SERVERS_KEY, served, settings
from support.raw_http import send
from support.simulator import running_simulator

OWN = f"giga-cred-{KEYS[0]}"
OTHER = f"giga-cred-{KEYS[1]}"
REFUSED = "giga-auth-no-such-token-as-this"


@pytest.fixture(scope="module")
def own_simulator():
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(own_simulator):
    own_simulator.reset()
    own_simulator.control(options=CHOICES)
    return own_simulator


@pytest.fixture
def gateway(simulator, tmp_path):
    with served(simulator, tmp_path, settings(simulator)) as gateway:
        yield gateway


@pytest.fixture
def client_with(gateway):
    made = []

    def make(credential):
        own = {"base_url": gateway.base_url, "max_retries": 0}
        if credential:
            client = openai.OpenAI(api_key=credential, **own)
        else:
            http = openai.DefaultHttpxClient(event_hooks={"request": [without_key]})
            client = openai.OpenAI(api_key="-", http_client=http, **own)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


def without_key(request):
    del request.headers["authorization"]


def signed_with(simulator):
    return set(simulator.view()["asked_by"])


def test_embeddings_are_signed_with_what_was_brought(client_with, simulator):
    for model in ("EmbeddingsGigaR", "text-embedding-3-small"):
        answer = client_with(OWN).embeddings.create(model=model, input=["one", "two"])
        assert len(answer.data) == 2
    assert signed_with(simulator) == {KEYS[0]}


def test_tokens_are_counted_for_the_one_who_asks(gateway, simulator):
    body = {"model": "GigaChat-2", "input": ["one", "two"]}
    headers = {"authorization": f"Bearer {OWN}"}
    reply = send(gateway, body, path="/v1/tokens/count", headers=headers)
    assert reply.status == 200, reply.body
    assert signed_with(simulator) == {KEYS[0]}


def test_models_are_the_callers_own(client_with, simulator):
    models = {model.id for model in client_with(OWN).models.list()}
    assert {"GigaChat-2", "EmbeddingsGigaR"} <= models
    assert client_with(OWN).models.retrieve("GigaChat-2").id == "GigaChat-2"
    assert signed_with(simulator) <= {KEYS[0]}


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.embeddings.create(model="EmbeddingsGigaR", input="x"),
        lambda client: client.files.list(),
        lambda client: client.files.create(file=("a.txt", b"x"), purpose="assistants"),
        lambda client: list(client.models.list()),
    ],
    ids=["embeddings", "files", "upload", "models"],
)
def test_a_rejected_credential_is_a_401_and_nobody_elses_call(client_with, simulator, call):
    with pytest.raises(openai.AuthenticationError, match="credential that you sent"):
        call(client_with(REFUSED))
    assert SERVERS_KEY not in signed_with(simulator)


def test_a_file_is_its_owners_alone(client_with, simulator):
    mine, others, gateways = client_with(OWN), client_with(OTHER), client_with("")
    file = mine.files.create(file=("note.txt", b"mine"), purpose="assistants")
    assert signed_with(simulator) <= {KEYS[0]}
    assert mine.files.content(file.id).read() == b"mine"
    assert [each.id for each in mine.files.list()] == [file.id]
    for stranger in (others, gateways):
        with pytest.raises(openai.NotFoundError):
            stranger.files.retrieve(file.id)
        assert list(stranger.files.list()) == []
    assert mine.files.delete(file.id).deleted


def test_the_gateways_files_are_not_for_who_brings_a_credential(client_with):
    gateways = client_with("")
    file = gateways.files.create(file=("note.txt", b"ours"), purpose="assistants")
    with pytest.raises(openai.NotFoundError):
        client_with(OWN).files.content(file.id)
    assert gateways.files.delete(file.id).deleted
