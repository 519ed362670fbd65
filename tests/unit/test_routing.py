import pytest

from dragoman.errors import InvalidRequest, ModelNotFound, ModelsUnknown
from dragoman.routing import Route, Router


@pytest.fixture
def router():
    router = Router(
        {"best": [Route("a", "x"), Route("b", "y")], "x": [Route("b", "x-of-b")]}, ["a", "b"]
    )
    router.learn("a", ["x", "only-a", "both"])
    router.learn("b", ["both", "vendor/model"])
    return router


@pytest.mark.parametrize(
    ("name", "routes"),
    [
        ("best", (Route("a", "x"), Route("b", "y"))),
        ("x", (Route("b", "x-of-b"),)),
        ("a/x", (Route("a", "x"),)),
        ("a/not-listed", (Route("a", "not-listed"),)),
        ("b/vendor/model", (Route("b", "vendor/model"),)),
        ("vendor/model", (Route("b", "vendor/model"),)),
        ("only-a", (Route("a", "only-a"),)),
    ],
)
def test_names_find_their_targets(router, name, routes):
    assert router.routes(name) == routes


def test_a_name_that_two_providers_serve_asks_to_be_spelled_out(router):
    with pytest.raises(InvalidRequest, match="a/both, b/both") as caught:
        router.routes("both")
    assert caught.value.param == "model"


@pytest.mark.parametrize("name", ["only-b", "nothing", "a/", "c/x", "x" * 5000])
def test_unknown_names_are_not_found(router, name):
    with pytest.raises(ModelNotFound) as caught:
        router.routes(name)
    assert len(caught.value.message) < 500


def test_a_near_miss_is_suggested(router):
    with pytest.raises(ModelNotFound, match="`only-a`"):
        router.routes("only-aa")


def test_the_only_provider_takes_any_name_while_it_could_not_be_asked():
    router = Router({}, ["giga"])
    assert router.routes("GigaChat-4") == (Route("giga", "GigaChat-4"),)
    router.learn("giga", ["GigaChat-2"])
    with pytest.raises(ModelNotFound):
        router.routes("GigaChat-4")


def test_a_name_may_yet_turn_up_while_a_provider_has_not_been_asked():
    router = Router({}, ["a", "b"])
    router.learn("a", ["x"])
    assert router.routes("x") == (Route("a", "x"),)
    with pytest.raises(ModelsUnknown, match="b could not be asked") as caught:
        router.routes("y")
    assert caught.value.retry_after


def test_a_path_of_one_provider_reaches_only_that_provider(router):
    assert router.routes("best", only="b") == (Route("b", "y"),)
    assert router.routes("anything", only="b") == (Route("b", "anything"),)
    assert router.routes("b/anything", only="b") == (Route("b", "anything"),)


def test_every_listed_name_routes(router):
    listed = [name for name, _ in router.names()]
    assert listed[:2] == ["best", "x"]
    assert {"a/both", "b/both", "only-a", "vendor/model", "a/x"} <= set(listed)
    for name in listed:
        assert router.routes(name)


@pytest.fixture
def patterns():
    aliases = {
        "*": [Route("a", "*")],
        "gpt-*": [Route("a", "big")],
        "gpt-*-mini": [Route("a", "small-*"), Route("b", "x")],
        "gpt-4": [Route("b", "exact")],
        "*-vision": [Route("b", "eye")],
    }
    router = Router(aliases, ["a", "b"], "gpt-5")
    router.learn("a", ["x"])
    router.learn("b", ["y"])
    return router


@pytest.mark.parametrize(
    ("name", "routes"),
    [
        ("gpt-4", (Route("b", "exact"),)),
        ("gpt-5", (Route("a", "big"),)),
        ("gpt-", (Route("a", "big"),)),
        ("gpt-5-mini", (Route("a", "small-5"), Route("b", "x"))),
        ("gpt-mini", (Route("a", "big"),)),
        ("my-vision", (Route("b", "eye"),)),
        ("b/y", (Route("b", "y"),)),
        ("y", (Route("a", "y"),)),
        ("anything/at/all", (Route("a", "anything/at/all"),)),
    ],
)
def test_the_most_exact_pattern_counts(patterns, name, routes):
    assert patterns.routes(name) == routes


def test_patterns_are_not_listed(patterns):
    assert patterns.names() == [("gpt-4", "b"), ("x", "a"), ("y", "b")]


def test_who_names_no_model_means_the_default(patterns, router):
    assert patterns.default() == "gpt-5"
    with pytest.raises(InvalidRequest) as caught:
        router.default()
    assert caught.value.param == "model"


def test_patterns_count_for_callers_with_credentials_of_their_own():
    router = Router({"gpt-*": [Route("a", "x"), Route("b", "y")]}, ["a", "b"])
    assert router.routes_among(["b"], "gpt-4o") == (Route("b", "y"),)
