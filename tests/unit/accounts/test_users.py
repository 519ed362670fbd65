import pytest

from dragoman.accounts.users import ANYONE, Keyring
from dragoman.errors import Unauthenticated


def test_without_keys_the_gateway_is_open():
    ring = Keyring([])
    assert ring.is_open
    assert ring.admit(()).id == ANYONE
    assert ring.admit((b"anything", b"else")).id == ANYONE


def test_a_known_key_opens_in_whatever_header_it_came():
    ring = Keyring(["one", "two"])
    assert not ring.is_open
    assert ring.admit((b"two",)).id == "key-2"
    assert ring.admit((b"two", b"two")).id == "key-2"


@pytest.mark.parametrize(
    "tokens", [(), (b"three",), (b"one", b"secret-two"), (b"one\xff",), (b"",)]
)
def test_everything_else_is_refused_without_naming_the_key(tokens):
    with pytest.raises(Unauthenticated) as caught:
        Keyring(["one", "secret-two"]).admit(tokens)
    assert caught.value.status == 401
    assert "secret" not in caught.value.message
    assert "three" not in caught.value.message


def test_callers_and_their_ids_hold_no_token():
    assert "secret-token" not in repr(vars(Keyring(["secret-token"])))
