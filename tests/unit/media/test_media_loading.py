"""From what a caller gave to what an upstream takes."""

import asyncio
import hashlib

import pytest

from dragoman.canonical.conversation import Media, MediaKind
from dragoman.dialects.base import Attachment, ModelFacts
from dragoman.errors import GatewayError, InvalidRequest, RequestTooLarge, UnsupportedByTarget
from dragoman.media import loading as module
from dragoman.media.limits import MediaLimits
from dragoman.media.loading import Loader
from dragoman.providers.gigachat_files import TYPES
from dragoman.transport.outside import VisitFailed
from support.media_samples import PDF, coded, picture, wav

LIMITS = MediaLimits(image=100_000, document=200_000)
FACTS = ModelFacts()


class Visits:
    def __init__(self):
        self.contents = {}
        self.asked = []
        self.cancelled = 0

    def close(self):
        pass

    async def get(self, url, limit):
        self.asked.append((url, limit))
        found = self.contents[url]
        if isinstance(found, Exception):
            raise found
        if found is None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return found


@pytest.fixture
def visits():
    return Visits()


@pytest.fixture
def loader(visits):
    loader = Loader(visits, LIMITS, TYPES, max_pixels=10_000)
    yield loader
    loader.close()


def inline(content, kind=MediaKind.DOCUMENT, declared=None, path="p", **members):
    text = content if isinstance(content, str) else coded(content)
    return Attachment(Media(kind=kind, media_type=declared, data=text, **members), path, 0)


def by_url(url, path="p", kind=MediaKind.IMAGE):
    return Attachment(Media(kind=kind, media_type=None, url=url), path, 0)


async def loaded(loader, *attachments):
    return await loader.load(attachments, FACTS)


@pytest.mark.parametrize(
    ("content", "kind", "sent_as"),
    [
        (picture("PNG"), MediaKind.IMAGE, "image/png"),
        (PDF, MediaKind.DOCUMENT, "application/pdf"),
        (wav(), MediaKind.AUDIO, "audio/wav"),
        (b"OggS" + bytes(40), MediaKind.AUDIO, "audio/x-ogg"),
        (b"words", MediaKind.DOCUMENT, "text/plain"),
    ],
)
async def test_what_is_taken_goes_as_it_is(loader, content, kind, sent_as):
    (found,) = await loaded(loader, inline(content, kind))
    assert (found.upload.content, found.upload.media_type) == (content, sent_as)
    assert (found.kind, found.path, found.adapted) == (kind, "p", None)
    assert found.digest == hashlib.sha256(content).digest()


@pytest.mark.parametrize("size", [10, module.QUICK * 2])
async def test_base64_may_have_line_ends_but_no_mistakes(loader, size):
    text = coded(b"a" * size)
    wrapped = "\r\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    (found,) = await loaded(loader, inline(wrapped))
    assert found.upload.content == b"a" * size
    for broken in (text[:-1] + "*", text + "=", "=" + text, text + "я", text[:-1]):
        with pytest.raises(InvalidRequest, match="not valid base64") as refusal:
            await loaded(loader, inline(broken))
        assert refusal.value.param == "p"


async def test_text_by_another_name_is_text_and_that_is_said(loader):
    (found,) = await loaded(
        loader, inline(b"a,b", declared="text/csv; charset=utf-8", name="x.csv")
    )
    assert found.adapted == ("text/csv", "text/plain")
    assert found.upload.name == "x.csv"
    (found,) = await loaded(loader, inline(b"a,b", declared="application/octet-stream"))
    assert found.adapted is None


async def test_a_converted_picture_has_the_digest_of_what_came(loader):
    shown = picture("WEBP")
    (found,) = await loaded(loader, inline(shown, MediaKind.IMAGE, name="a.webp"))
    assert found.adapted == ("image/webp", "image/jpeg")
    assert found.upload.name == "file.jpg"
    assert found.digest == hashlib.sha256(shown).digest()


@pytest.mark.parametrize(
    ("attachment", "error", "words"),
    [
        (inline(b""), InvalidRequest, "holds nothing"),
        (inline(b"\0\1\2"), InvalidRequest, "no known kind"),
        (inline(PDF, MediaKind.IMAGE), InvalidRequest, "not a picture but a document"),
        (inline(wav(), MediaKind.IMAGE), InvalidRequest, "not a picture but a recording"),
        (inline(picture(), MediaKind.AUDIO), InvalidRequest, "not a recording but a picture"),
        (inline(b"fLaC" + bytes(9), MediaKind.AUDIO), UnsupportedByTarget, "audio/flac"),
        (inline(b"\x1a\x45\xdf\xa3"), UnsupportedByTarget, "video/webm|videos"),
        (inline(b"\0\0\0\x18ftypheic", MediaKind.IMAGE), InvalidRequest, "image/heic"),
        (inline(picture("WEBP", (200, 200)), MediaKind.IMAGE), InvalidRequest, "200 x 200"),
        (inline(b"x" * 200_001), RequestTooLarge, "200,001 bytes"),
    ],
)
async def test_what_cannot_go_is_said(loader, attachment, error, words):
    with pytest.raises(error, match=words) as refusal:
        await loaded(loader, attachment)
    assert refusal.value.param == "p"


async def test_a_picture_in_a_file_part_counts_as_one(loader):
    with pytest.raises(UnsupportedByTarget, match="takes no pictures"):
        await loader.load([inline(picture())], ModelFacts(images=False))


async def test_what_is_named_by_url_is_fetched_within_the_limit_of_its_kind(loader, visits):
    visits.contents = {"https://a/1": picture(), "https://a/2": PDF}
    found = await loaded(
        loader, by_url("https://a/1"), by_url("https://a/2", kind=MediaKind.DOCUMENT)
    )
    assert [each.upload.media_type for each in found] == ["image/png", "application/pdf"]
    assert visits.asked == [("https://a/1", 100_000), ("https://a/2", 200_000)]


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (VisitFailed("a answered with status 404"), InvalidRequest),
        (VisitFailed("it has more than 5 bytes", is_too_large=True), RequestTooLarge),
    ],
)
async def test_a_failed_visit_is_the_callers_affair_and_ends_the_others(
    loader, visits, failure, error
):
    visits.contents = {"https://a/1?secret": failure, "https://a/2": None}
    with pytest.raises(error, match=str(failure)) as refusal:
        await loaded(loader, by_url("https://a/2", "q"), by_url("https://a/1?secret"))
    assert type(refusal.value) is error
    assert refusal.value.param == "p"
    assert "secret" not in refusal.value.message
    assert visits.cancelled == 1


async def test_of_several_mistakes_one_is_said(loader):
    with pytest.raises(GatewayError):
        await loaded(loader, inline("*", path="a"), inline("*", path="b"))


async def test_who_stops_waiting_stops_the_visits(loader, visits):
    visits.contents = {"https://a/1": None}
    task = asyncio.ensure_future(loaded(loader, by_url("https://a/1")))
    while not visits.asked:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (task.cancelled(), visits.cancelled) == (True, 1)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("a.pdf", "a.pdf"),
        ("Отчёт.pdf", "Отчёт.pdf"),
        ("../../etc/a.pdf", "a.pdf"),
        ("c:\\x\\a.pdf", "a.pdf"),
        ('a"\r\nx: y', "file.pdf"),
        ("", "file.pdf"),
        (None, "file.pdf"),
    ],
)
async def test_names_are_made_fit(loader, given, sent):
    (found,) = await loaded(loader, inline(PDF, name=given))
    assert found.upload.name == sent
