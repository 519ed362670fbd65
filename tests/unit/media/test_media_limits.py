"""What may be attached."""

import pytest

from dragoman.canonical.conversation import Media, MediaKind
from dragoman.dialects.base import Attachment, ModelFacts
from dragoman.errors import InvalidRequest, RequestTooLarge, UnsupportedByTarget
from dragoman.media.limits import MediaLimits, Weight, check_attachments, check_weights

FACTS = ModelFacts()
LIMITS = MediaLimits(image=30, audio=60, document=90, total=70, images_per_request=2)
IMAGE, AUDIO, DOCUMENT = MediaKind.IMAGE, MediaKind.AUDIO, MediaKind.DOCUMENT


def attachment(kind=IMAGE, turn=0, path="p", **members):
    given = members or {"data": "AAAA"}
    return Attachment(Media(kind=kind, media_type=None, **given), path, turn)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ([attachment(data="A" * 48)], RequestTooLarge),
        ([attachment(AUDIO, data="A" * 84)], RequestTooLarge),
        ([attachment(DOCUMENT, data="A" * 124)], RequestTooLarge),
        ([attachment(file_id="file-1")], UnsupportedByTarget),
        ([attachment(url="data:,x")], InvalidRequest),
        ([attachment(url="gs://bucket/x")], InvalidRequest),
        ([attachment(path="a"), attachment()], UnsupportedByTarget),
        ([attachment(turn=n, path="ab"[n % 2]) for n in (0, 1)] + [attachment(turn=2)],
         UnsupportedByTarget),
    ],
)  # fmt: skip
def test_what_may_not_go_is_named(given, error):
    with pytest.raises(error) as refusal:
        check_attachments(given, FACTS, LIMITS)
    assert type(refusal.value) is error
    assert refusal.value.param == "p"


@pytest.mark.parametrize(
    "given",
    [
        [],
        [attachment(data="A" * 40)],
        [attachment(url="https://example.org/a"), attachment(turn=1, url="HTTP://example.org")],
        [attachment(AUDIO), attachment(AUDIO), attachment(DOCUMENT), attachment()],
    ],
)
def test_what_may_go_goes(given):
    check_attachments(given, FACTS, LIMITS)


def test_models_and_operators_may_take_less():
    with pytest.raises(UnsupportedByTarget, match="takes no pictures"):
        check_attachments([attachment()], ModelFacts(images=False), LIMITS)
    check_attachments([attachment(AUDIO)], ModelFacts(images=False), LIMITS)
    with pytest.raises(UnsupportedByTarget, match="does not take recordings"):
        check_attachments([attachment(AUDIO)], FACTS, MediaLimits(kinds=frozenset({IMAGE})))


def test_what_is_seen_and_heard_counts_together():
    check_weights(
        [Weight(IMAGE, 30, "a"), Weight(AUDIO, 40, "b"), Weight(DOCUMENT, 90, "c")], LIMITS
    )
    with pytest.raises(RequestTooLarge) as refusal:
        check_weights([Weight(IMAGE, 30, "a"), Weight(AUDIO, 41, "b")], LIMITS)
    assert refusal.value.param == "b"
    with pytest.raises(RequestTooLarge, match="91 bytes"):
        check_weights([Weight(DOCUMENT, 91, "c")], LIMITS)
