"""Files that nobody needs are deleted: later, and at the end at once."""

import asyncio

import pytest

from dragoman.errors import UpstreamUnavailable
from dragoman.media import tidying as module
from dragoman.media.shelf import Owner, StoredFile
from dragoman.media.tidying import GRACE, Tidying
from dragoman.providers.base import Credential
from dragoman.providers.signing import FixedSigner
from support.fake_clock import FakeClock

LINE = b"authorization: Bearer x\r\n"
OWNER = Owner("ann", b"x-client-id: 7\r\n")


class Store:
    def __init__(self):
        self.types = {}
        self.deleted = []
        self.fails = set()
        self.hangs = set()

    async def upload(self, lines, file):
        raise AssertionError

    async def delete(self, lines, file_id):
        assert lines == LINE + OWNER.lines
        if file_id in self.fails:
            raise UpstreamUnavailable("no")
        if file_id in self.hangs:
            await asyncio.Event().wait()
        self.deleted.append(file_id)


def file(name, used=0.0):
    return StoredFile(Credential("giga/1", FixedSigner(LINE)), OWNER, name, 0.0, used)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def said(monkeypatch):
    """What the operator was told."""
    told = []

    class Log:
        def warning(self, words, **_):
            told.append(words)

    monkeypatch.setattr(module, "log", Log())
    return told


@pytest.fixture
def store():
    return Store()


async def test_a_file_is_deleted_some_time_after_its_last_use(store, clock):
    tidying = Tidying(store, clock, "giga")
    tidying.add(file("early", clock.now()))
    tidying.add(file("late", clock.now() + 10))
    await tidying.run()
    assert store.deleted == []
    clock.advance(GRACE)
    await tidying.run()
    assert store.deleted == ["early"]
    clock.advance(10)
    await tidying.run()
    assert store.deleted == ["early", "late"]
    assert len(tidying) == 0


async def test_what_cannot_be_deleted_is_left_and_logged(store, clock, said):
    store.fails = {"a"}
    tidying = Tidying(store, clock, "giga")
    for name in "ab":
        tidying.add(file(name, clock.now() - GRACE))
    await tidying.run()
    assert store.deleted == ["b"]
    assert len(tidying) == 0
    assert "could not delete a file" in said


async def test_only_so_many_wait(store, clock, said):
    tidying = Tidying(store, clock, "giga", most=1)
    tidying.add(file("a"))
    tidying.add(file("b"))
    assert len(tidying) == 1
    assert "a file is left at the provider" in said


async def test_at_the_end_everything_is_deleted_at_once(store, clock):
    store.fails = {"c"}
    tidying = Tidying(store, clock, "giga")
    tidying.add(file("z", clock.now()))
    await tidying.finish([file(name, clock.now()) for name in "abcdefghijk"])
    assert sorted(store.deleted) == sorted("abdefghijkz")
    await tidying.finish([])


async def test_the_end_is_not_put_off_for_long(store, clock, said, monkeypatch):
    monkeypatch.setattr(module, "LAST_SECONDS", 0.05)
    store.hangs = set("abcdefghijk")
    tidying = Tidying(store, clock, "giga")
    await tidying.finish([file(name) for name in "abcdefghijk"])
    assert store.deleted == []
    assert "files are left at the provider" in said
