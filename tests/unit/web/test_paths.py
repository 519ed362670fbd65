import pytest

from dragoman.web.paths import Paths, normalised


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
    [b"/", b"/v1", b"/v1/chat", b"/nobody/v1/chat/completions", b"/v1/chat/completions/x", b"\xff"],
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
