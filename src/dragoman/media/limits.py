"""What may be attached, told before anything is decoded, fetched or uploaded. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from dragoman.canonical.conversation import MediaKind
from dragoman.dialects.base import Attachment, ModelFacts
from dragoman.errors import InvalidRequest, RequestTooLarge, UnsupportedByTarget

_MB: Final = 1024 * 1024
_WORDS: Final = {
    MediaKind.IMAGE: ("a picture", "pictures"),
    MediaKind.DOCUMENT: ("a document", "documents"),
    MediaKind.AUDIO: ("a recording", "recordings"),
    MediaKind.VIDEO: ("a video", "videos"),
}


class MediaLimits(Struct, frozen=True, kw_only=True):
    """Bounds of one request; sizes in bytes."""

    image: int = 15 * _MB
    audio: int = 35 * _MB
    document: int = 40 * _MB
    total: int = 80 * _MB
    """Of all pictures and recordings together."""
    images_per_message: int = 1
    images_per_request: int = 10
    kinds: frozenset[MediaKind] = frozenset(MediaKind)
    """What is taken at all."""

    def of(self, kind: MediaKind) -> int:
        """Bytes that one medium of this kind may have."""
        if kind is MediaKind.IMAGE:
            return self.image
        return self.audio if kind is MediaKind.AUDIO else self.document


class Weight(Struct, frozen=True):
    """What counts of one medium."""

    kind: MediaKind
    size: int
    path: str


def check_attachments(
    attachments: Sequence[Attachment], facts: ModelFacts, limits: MediaLimits
) -> None:
    """Raise what is wrong with ``attachments`` as the caller declared them:
    ``UnsupportedByTarget``, ``InvalidRequest`` or ``RequestTooLarge``.
    """
    in_turn: Counter[int] = Counter()
    images = 0
    for each in attachments:
        media, path = each.media, each.path
        _check_kind(media.kind, path, facts, limits)
        if media.file_id is not None:
            raise UnsupportedByTarget(
                "A file id is known to one account of one provider only. Send the file itself, as"
                " file_data.",
                param=path,
            )
        if media.data is not None and len(media.data) * 3 // 4 > limits.of(media.kind) + 2:
            raise _too_large(Weight(media.kind, len(media.data) * 3 // 4, path), limits)
        if media.url is not None and not media.url[:8].lower().startswith(("http://", "https://")):
            raise InvalidRequest(
                f"Invalid value for '{path}': a data URI with base64, or a URL that begins with"
                " https:// or http://, is needed.",
                param=path,
                code="invalid_value",
            )
        if media.kind is MediaKind.IMAGE:
            images += 1
            in_turn[each.turn] += 1
            _check_count(images, in_turn[each.turn], path, limits)


def check_weights(weights: Iterable[Weight], limits: MediaLimits) -> None:
    """Raise ``RequestTooLarge`` if a loaded medium has too many bytes, or all have together."""
    total = 0
    for weight in weights:
        if weight.size > limits.of(weight.kind):
            raise _too_large(weight, limits)
        if weight.kind is not MediaKind.DOCUMENT:
            total += weight.size
        if total > limits.total:
            raise RequestTooLarge(
                f"With '{weight.path}' the pictures and recordings of this request have more than"
                f" {_megabytes(limits.total)} MB. Send fewer, or smaller ones.",
                param=weight.path,
            )


def check_loaded_kind(
    kind: MediaKind, declared: MediaKind, path: str, facts: ModelFacts, limits: MediaLimits
) -> None:
    """Raise if the bytes at ``path`` are something that may not be there."""
    if declared is not MediaKind.DOCUMENT and kind is not declared:
        raise InvalidRequest(
            f"Invalid value for '{path}': this is not {_WORDS[declared][0]} but"
            f" {_WORDS[kind][0]}. Send it as a part of type"
            f" '{'image_url' if kind is MediaKind.IMAGE else 'file'}'.",
            param=path,
            code="invalid_value",
        )
    _check_kind(kind, path, facts, limits)


def _check_kind(kind: MediaKind, path: str, facts: ModelFacts, limits: MediaLimits) -> None:
    if kind not in limits.kinds:
        raise UnsupportedByTarget(
            f"The operator of this gateway does not take {_WORDS[kind][1]}. Leave it out.",
            param=path,
        )
    if kind is MediaKind.IMAGE and not facts.images:
        raise UnsupportedByTarget(
            "This model takes no pictures. Leave it out or choose another model.", param=path
        )


def _check_count(images: int, in_message: int, path: str, limits: MediaLimits) -> None:
    if in_message > limits.images_per_message:
        raise UnsupportedByTarget(
            f"This provider takes {limits.images_per_message} picture(s) with a message. Send the"
            " others with messages of their own, with an answer between.",
            param=path,
        )
    if images > limits.images_per_request:
        raise UnsupportedByTarget(
            f"This provider takes {limits.images_per_request} pictures in a conversation. Leave"
            " older ones out.",
            param=path,
        )


def _too_large(weight: Weight, limits: MediaLimits) -> RequestTooLarge:
    return RequestTooLarge(
        f"'{weight.path}' has {weight.size:,} bytes; {_WORDS[weight.kind][0]} may have"
        f" {_megabytes(limits.of(weight.kind))} MB. Send a smaller one.",
        param=weight.path,
    )


def _megabytes(size: int) -> str:
    return f"{size / _MB:g}"
