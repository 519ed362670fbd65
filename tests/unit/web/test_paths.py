import pytest

from dragoman.web.paths import Paths, normalised, without_prefix


class Dialect:
    pass


CHAT = Dialect()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/chat/completions",
        "/v1/v1/chat/completions",
        "/v1//chat/completions/",
        "//v1/chat/completions//",
        "/v2/chat/completions",
        "/v2/v1/chat/completions",
    ],
)
def test_what_clients_get_wrong_is_forgiven(path):
    assert normalised(path) == "/v1/chat/completions"
    endpoint = Paths({"/v1/chat/completions": CHAT}, ["giga"]).find(path.encode())
    assert endpoint.dialect is CHAT
    assert endpoint.provider is None


@pytest.mark.parametrize("path", ["/giga/v1/chat/completions", "/giga/chat/completions"])
def test_a_providers_path_names_the_provider(path):
    endpoint = Paths({"/v1/chat/completions": CHAT}, ["giga"]).find(path.encode())
    assert endpoint.provider == "giga"


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/v1",
        b"/v1/chat",
        b"/v1/v2/chat/completions",
        b"/foo/v1/chat/completions",
        b"/nobody/v1/chat/completions",
        b"/v1/chat/completions/x",
        b"\xff",
    ],
)
def test_other_paths_are_nothing(path):
    assert Paths({"/v1/chat/completions": CHAT}, ["giga"]).find(path) is None


def test_the_memory_of_paths_is_bounded():
    paths = Paths({"/v1/chat/completions": CHAT}, [])
    for number in range(10_000):
        paths.find(b"/%d" % number)
    paths.find(b"/" + b"x" * 100_000)
    assert len(paths._found) <= 4096


@pytest.mark.parametrize(
    ("path", "api"),
    [
        (b"/v1/chat/completions", "v1"),
        (b"/v2/chat/completions", "v2"),
        (b"/chat/completions", None),
        (b"/v1/v1/chat/completions", "v1"),
        (b"/v2/v1/chat/completions", "v2"),
        (b"//v2//chat/completions/", "v2"),
        (b"/v3/chat/completions", None),
        (b"/giga/v2/chat/completions", "v2"),
        (b"/giga/chat/completions", None),
    ],
)
def test_the_version_in_a_path_chooses_the_api_only_where_that_is_wanted(path, api):
    wanted = Paths({"/v1/chat/completions": CHAT}, ["giga"], api_by_path=True)
    assert wanted.find(path).api == api
    ordinary = Paths({"/v1/chat/completions": CHAT}, ["giga"])
    assert ordinary.find(path).api is None


PREFIXES = ["", "/v1", "/v2", "/v1/v1", "/v2/v1", "/api/v1", "/openai", "/foo/bar/v1", "//x//v2"]
API = [
    "chat/completions", "completions", "embeddings", "responses", "messages",
    "messages/count_tokens", "models", "models/GigaChat-2", "models/openai/chat", "model/info",
    "files", "files/1", "files/1/content", "batches", "images/generations",
]  # fmt: skip
PAGES = ["health", "ping", "ready", "metrics"]


@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("route", API + PAGES)
def test_every_route_is_found_behind_every_prefix(route, prefix, end):
    paths = Paths({}, [], any_prefix=True)
    canonical = f"/{route}" if route in PAGES else f"/v1/{route}"
    assert paths.page(f"{prefix}/{route}{end}") == canonical


@pytest.mark.parametrize("path", ["/foo/chat/completions", "/api/v1/chat/completions"])
def test_a_prefix_is_passed_over_only_where_that_is_wanted(path):
    table = {"/v1/chat/completions": CHAT}
    assert Paths(table, [], any_prefix=True).find(path.encode()).dialect is CHAT
    assert Paths(table, []).find(path.encode()) is None


def test_a_providers_name_counts_more_than_a_prefix():
    paths = Paths({"/v1/chat/completions": CHAT}, ["giga"], any_prefix=True)
    assert paths.find(b"/giga/v1/chat/completions").provider == "giga"
    assert paths.find(b"/x/giga/v1/chat/completions").provider is None


@pytest.mark.parametrize("path", ["/", "/bridge/models", "/favicon.ico", "/v1/v2/models", "/a/b/c"])
def test_what_is_not_known_stays_unknown(path):
    assert Paths({}, [], any_prefix=True).page(path) not in {f"/v1/{r}" for r in API}


def test_an_address_of_the_old_program_is_not_taken_for_another():
    assert without_prefix("/x/bridge/models") == "/bridge/models"
