"""Ids of files: good for one caller, told from any other text, and the same after a restart."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.accounts.users import Keyring, tenant_of
from dragoman.errors import NotFound
from dragoman.operations.file_ids import FileIds
from dragoman.providers.base import Credential, Secret
from dragoman.providers.signing import FixedSigner, seal_of


class Provider:
    def __init__(self, name, *secrets):
        self.name = name
        self.credentials = [
            Credential(f"{name}/{secret}", FixedSigner(b""), seal_of(Secret(secret)))
            for secret in secrets
        ]


def ids(*, fallback=b"fallback"):
    providers = [Provider("one", "first", "second"), Provider("two", "")]
    return FileIds({provider.name: provider for provider in providers}, fallback)


CREDENTIAL = ids()._credentials["one/first"][1]
UPSTREAM_IDS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP0123456789-_.~", min_size=1)
MINE, OTHERS = tenant_of("mine"), tenant_of("another's")


@given(UPSTREAM_IDS, st.sampled_from(sorted(ids()._credentials)))
def test_an_id_leads_back_to_its_file(upstream_id, key_id):
    provider, credential = ids()._credentials[key_id]
    file_id = ids().write(credential, upstream_id, MINE)
    found = ids().read(file_id, MINE)
    assert (found.id, found.credential.id) == (upstream_id, key_id)
    assert found.provider.name == provider.name
    assert file_id == ids().write(credential, upstream_id, MINE)
    for tenant in (OTHERS, b""):
        with pytest.raises(NotFound):
            ids().read(file_id, tenant)


@given(st.data())
def test_no_other_text_is_an_id(data):
    file_id = ids().write(CREDENTIAL, "0123-4567", MINE)
    at = data.draw(st.integers(0, len(file_id) - 1))
    text = data.draw(st.characters(codec="utf-8"))
    changed = file_id[:at] + text + file_id[at + 1 :]
    for wrong in {changed, file_id + text, file_id[:at]} - {file_id}:
        with pytest.raises(NotFound):
            ids().read(wrong, MINE)


@pytest.mark.parametrize("upstream_id", ["", "a/b", "..%2f", "a?b", "a b", "ä", "x\r\ny: z"])
def test_an_upstreams_id_that_would_change_the_path_is_not_used(upstream_id):
    file_id = ids().write(CREDENTIAL, upstream_id, MINE)
    with pytest.raises(NotFound):
        ids().read(file_id, MINE)


def test_ids_made_with_another_key_are_none():
    anonymous = ids()._credentials["two/"][1]
    file_id = ids().write(anonymous, "x", MINE)
    assert ids().read(file_id, MINE).id == "x"
    with pytest.raises(NotFound):
        ids(fallback=b"another").read(file_id, MINE)
    forged = base64.urlsafe_b64encode(b"\0" * 16 + b"one/first x").decode().rstrip("=")
    with pytest.raises(NotFound):
        ids().read(f"file-{forged}", MINE)


@given(st.text())
def test_a_files_name_says_whose_it_is(name):
    tagged = FileIds.tagged(name, MINE)
    assert FileIds.untagged(tagged, MINE) == name
    assert FileIds.untagged(tagged, OTHERS) is None
    assert FileIds.untagged(tagged, b"") is None
    assert FileIds.untagged(name, MINE) is None
    nested = FileIds.tagged(tagged, OTHERS)
    assert FileIds.untagged(nested, MINE) is None


def test_where_there_is_one_caller_names_stay():
    assert FileIds.tagged("a.txt", b"") == "a.txt"
    assert FileIds.untagged("a.txt", b"") == "a.txt"


def test_callers_are_told_apart_by_their_tokens_and_not_by_their_places():
    one, other = Keyring(["a-token", "b-token"]), Keyring(["b-token", "c-token"])
    assert one.admit((b"b-token",)).tenant == other.admit((b"b-token",)).tenant
    assert one.admit((b"a-token",)).tenant != one.admit((b"b-token",)).tenant
    assert one.seal != other.seal
    assert one.seal == Keyring(["b-token", "a-token"]).seal
    assert Keyring([]).admit(()).tenant == b""
