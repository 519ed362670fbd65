"""Which file id an upload got: once for equal bytes, per credential and caller, for a while."""

import asyncio

import pytest

from dragoman.errors import UpstreamUnavailable
from dragoman.media.shelf import Mark, Owner, Shelf
from dragoman.providers.base import Credential
from dragoman.providers.signing import FixedSigner
from support.fake_clock import FakeClock

ONE = Credential("giga/1", FixedSigner(b""))


class Store:
    """Uploads that finish when they are told to."""

    def __init__(self):
        self.begun = 0
        self.cancelled = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.error = None

    async def upload(self):
        self.begun += 1
        name = f"file-{self.begun}"
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return name


def mark(digest=b"x", owner="ann", credential="giga/1", media_type="image/png", lines=b""):
    return Mark(credential, Owner(owner, lines), digest, media_type)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def gone():
    return []


@pytest.fixture
def shelf(clock, gone):
    return Shelf(clock, gone.append, keep=60, most=2)


@pytest.fixture
async def store():
    return Store()


async def test_equal_bytes_are_uploaded_once(shelf, store):
    ids = [await shelf.obtain(mark(), ONE, store.upload) for _ in range(3)]
    assert ids == ["file-1"] * 3


@pytest.mark.parametrize(
    "other",
    [
        mark(owner="bob"),
        mark(lines=b"x-client-id: ann\r\n"),
        mark(credential="giga/2"),
        mark(digest=b"y"),
        mark(media_type="image/jpeg"),
    ],
)
async def test_what_differs_is_uploaded_anew(shelf, store, other):
    assert await shelf.obtain(mark(), ONE, store.upload) == "file-1"
    assert await shelf.obtain(other, ONE, store.upload) == "file-2"


async def test_uploads_at_the_same_time_are_one(shelf, store):
    store.may_end.clear()
    tasks = [asyncio.ensure_future(shelf.obtain(mark(), ONE, store.upload)) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    store.may_end.set()
    assert await asyncio.gather(*tasks) == ["file-1"] * 5
    assert store.begun == 1


async def test_who_leaves_does_not_end_the_upload_of_others(shelf, store):
    store.may_end.clear()
    first, second = (
        asyncio.ensure_future(shelf.obtain(mark(), ONE, store.upload)) for _ in range(2)
    )
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    store.may_end.set()
    assert await second == "file-1"
    assert (store.begun, store.cancelled) == (1, 0)


async def test_the_last_who_leaves_ends_it_and_the_next_begins_anew(shelf, store):
    store.may_end.clear()
    tasks = [asyncio.ensure_future(shelf.obtain(mark(), ONE, store.upload)) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    store.may_end.set()
    assert await shelf.obtain(mark(), ONE, store.upload) == "file-2"
    assert (store.begun, store.cancelled) == (2, 1)


async def test_a_failure_is_told_to_all_and_remembered_by_nobody(shelf, store):
    store.may_end.clear()
    store.error = UpstreamUnavailable("no")
    tasks = [asyncio.ensure_future(shelf.obtain(mark(), ONE, store.upload)) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    store.may_end.set()
    failures = await asyncio.gather(*tasks, return_exceptions=True)
    assert failures == [store.error] * 2
    store.error = None
    assert await shelf.obtain(mark(), ONE, store.upload) == "file-2"
    assert len(shelf) == 1


async def test_a_file_that_is_too_old_is_uploaded_anew_and_told(shelf, store, clock, gone):
    await shelf.obtain(mark(), ONE, store.upload)
    clock.advance(59)
    assert await shelf.obtain(mark(), ONE, store.upload) == "file-1"
    clock.advance(1)
    assert await shelf.obtain(mark(), ONE, store.upload) == "file-2"
    assert [(file.id, file.used) for file in gone] == [("file-1", gone[0].used)]
    clock.advance(60)
    shelf.expire()
    assert [file.id for file in gone] == ["file-1", "file-2"]
    assert len(shelf) == 0


async def test_the_least_recently_used_goes_first(shelf, store, gone):
    for digest in (b"a", b"b", b"a", b"c"):
        await shelf.obtain(mark(digest), ONE, store.upload)
    assert [file.id for file in gone] == ["file-2"]
    assert len(shelf) == 2


async def test_what_the_provider_forgot_is_forgotten_once(shelf, store, gone):
    await shelf.obtain(mark(), ONE, store.upload)
    shelf.forget(mark(), "file-1")
    assert await shelf.obtain(mark(), ONE, store.upload) == "file-2"
    shelf.forget(mark(), "file-1")
    assert await shelf.obtain(mark(), ONE, store.upload) == "file-2"
    assert gone == []


async def test_clearing_ends_what_is_under_way(shelf, store):
    await shelf.obtain(mark(), ONE, store.upload)
    store.may_end.clear()
    task = asyncio.ensure_future(shelf.obtain(mark(b"y"), ONE, store.upload))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [file.id for file in shelf.clear()] == ["file-1"]
    await asyncio.gather(task, return_exceptions=True)
    assert store.cancelled == 1
    assert len(shelf) == 0
