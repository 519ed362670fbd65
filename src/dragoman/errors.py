"""Everything that can go wrong, as a tree.

::

    GatewayError
    ├── ClientError                the caller can fix it
    │   ├── InvalidRequest         400
    │   │   └── UnsupportedByTarget 400  valid, but this target cannot do it
    │   ├── RequestTooLarge        413
    │   ├── HeadTooLarge           431
    │   ├── RequestTimeout         408
    │   ├── Unauthenticated        401
    │   │   └── OwnKeyNeeded       401  it serves credentials of callers only; try another
    │   ├── Forbidden              403
    │   ├── NotFound               404
    │   │   └── ModelNotFound      404
    │   ├── MethodNotAllowed       405
    │   └── UnsupportedEncoding    415
    ├── CapacityError              nobody did wrong; ask again later
    │   ├── QueueFull              429
    │   ├── QueueTimeout           503
    │   ├── NoCredential           503   every credential is disabled
    │   ├── ModelsUnknown          503   a provider has not been asked yet
    │   └── ShuttingDown           503
    ├── UpstreamError              the provider failed us
    │   ├── UpstreamRateLimited    429   its credential cools; try again
    │   ├── UpstreamOutOfCredit    429   its credential is disabled; try again
    │   │   └── OwnKeyOutOfCredit  429   the same of a credential that the caller brought
    │   ├── UpstreamRejectedKey    502   its credential is disabled; try again
    │   │   └── OwnKeyRejected     401   the same of a credential that the caller brought
    │   ├── UpstreamForbidden      502   its credential may not do this; try another
    │   ├── UpstreamUnavailable    502, 503, 504   try again
    │   ├── UpstreamTimeout        504
    │   ├── UpstreamBroken         502   it answered what its protocol forbids
    │   └── UpstreamRefused        4xx   it calls the request bad: pass that on
    │       └── UpstreamLostFile   404   it does not know a file that the request names
    └── InternalError              500   our bug

A class says whose fault it is, which status the caller sees and whether another attempt
may succeed. It knows no dialect: how an error is spelled is each dialect's own affair.
"""

from __future__ import annotations

from typing import ClassVar, Final

UNKNOWN_AUTHORITY: Final = "unknown_authority"
"""Code of an ``UpstreamUnavailable`` whose certificate no trusted authority has issued."""


class GatewayError(Exception):
    """Base of all errors that a caller may see.

    ``message`` is for the caller and says what to do next; it never holds a secret, an
    upstream's address or another caller's data. ``detail`` is for the operator's log only.
    """

    status: int = 500
    """HTTP status that the caller sees."""
    kind: ClassVar[str] = "internal"
    """Stable machine-readable name; dialects map it to their own codes, metrics count it."""
    retryable: ClassVar[bool] = False
    """Another credential or target may succeed with the same request."""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        """Path of the offending field in the caller's spelling: ``messages[2].content``."""
        self.code = code
        """A more exact code than ``kind``, where an upstream or a check gave one."""
        self.retry_after = retry_after
        """Seconds after which the same request may succeed."""
        self.detail = detail

    def hide(self, secret: str) -> None:
        """Take ``secret`` out of every text: an upstream may have repeated our credential."""
        for name in ("message", "param", "code", "detail"):
            text = getattr(self, name)
            if text is not None and secret in text:
                setattr(self, name, text.replace(secret, "***"))
        self.args = (self.message,)


class ClientError(GatewayError):
    """The caller can fix it."""

    status = 400


class InvalidRequest(ClientError):
    """The request is malformed; ``param`` names the field."""

    kind = "invalid_request"


class UnsupportedByTarget(InvalidRequest):
    """The request is well formed, but its target cannot do what it asks."""

    kind = "unsupported_by_target"


class RequestTooLarge(ClientError):
    """The body exceeds the configured limit."""

    status = 413
    kind = "request_too_large"


class HeadTooLarge(ClientError):
    """The request's line and headers exceed what a server takes."""

    status = 431
    kind = "head_too_large"


class RequestTimeout(ClientError):
    """The request did not arrive in time."""

    status = 408
    kind = "request_timeout"


class Unauthenticated(ClientError):
    """No client key, a wrong one, or two different ones."""

    status = 401
    kind = "unauthenticated"


class OwnKeyNeeded(Unauthenticated):
    """This target serves callers who bring a credential of their own, and this one has not."""

    retryable = True


class Forbidden(ClientError):
    """The caller is known but may not do this."""

    status = 403
    kind = "forbidden"


class NotFound(ClientError):
    """There is nothing at this path."""

    status = 404
    kind = "not_found"


class ModelNotFound(NotFound):
    """No provider serves a model of this name."""

    kind = "model_not_found"


class MethodNotAllowed(ClientError):
    """The path exists, but not for this method."""

    status = 405
    kind = "method_not_allowed"


class UnsupportedEncoding(ClientError):
    """The body is compressed in a way that the gateway cannot read."""

    status = 415
    kind = "unsupported_encoding"


class CapacityError(GatewayError):
    """Nobody did wrong; the caller may ask again later."""

    status = 503


class QueueFull(CapacityError):
    """The queue for this target is at its bound."""

    status = 429
    kind = "queue_full"


class QueueTimeout(CapacityError):
    """No credential became free within the time a request may wait."""

    kind = "queue_timeout"


class NoCredential(CapacityError):
    """Every credential that could serve the target is disabled."""

    kind = "no_credential"
    retryable = True


class ModelsUnknown(CapacityError):
    """Nobody knows yet whether the model exists: a provider could not be asked so far."""

    kind = "models_unknown"


class ShuttingDown(CapacityError):
    """The gateway is stopping."""

    kind = "shutting_down"


class UpstreamError(GatewayError):
    """The provider failed us."""

    status = 502
    kind = "upstream"


class UpstreamRateLimited(UpstreamError):
    """The provider says: too many requests. The credential cools for ``retry_after``."""

    status = 429
    kind = "rate_limited"
    retryable = True


class UpstreamOutOfCredit(UpstreamError):
    """The credential's prepaid tokens or budget are used up."""

    status = 429
    kind = "out_of_credit"
    retryable = True


class OwnKeyOutOfCredit(UpstreamOutOfCredit):
    """As ``UpstreamOutOfCredit``, of a credential that the caller brought: nobody else's serves."""

    retryable = False


class UpstreamRejectedKey(UpstreamError):
    """The provider does not accept the credential; the operator has to mend it."""

    kind = "upstream_authentication"
    retryable = True
    advice: str | None = None
    """What can be done about it, as a clause for the operator."""


class OwnKeyRejected(UpstreamRejectedKey):
    """As ``UpstreamRejectedKey``, of a credential that the caller brought: the caller's affair,
    and nobody else's credential is tried.
    """

    status = 401
    kind = "unauthenticated"
    retryable = False


class UpstreamForbidden(UpstreamError):
    """The provider accepts the credential but not for this model, method or region. The
    credential stays in use for everything else.
    """

    kind = "upstream_forbidden"
    retryable = True


class UpstreamUnavailable(UpstreamError):
    """The provider could not be reached, closed early or answered with a 5xx. The caller sees its
    503 or 504 as it is; any other is a 502, because 500 would be a fault of the gateway.
    """

    kind = "upstream_unavailable"
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        answered: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        detail: str | None = None,
    ) -> None:
        """``answered`` is the status that the provider answered with, if it did."""
        super().__init__(message, code=code, retry_after=retry_after, detail=detail)
        if answered in {503, 504}:
            self.status = answered


class UpstreamTimeout(UpstreamError):
    """The provider did not connect, begin, go on or finish in time."""

    status = 504
    kind = "timeout"


class UpstreamBroken(UpstreamError):
    """The provider's answer breaks its own protocol: HTML, half a stream, bad JSON."""

    kind = "upstream_broken"


class UpstreamRefused(UpstreamError):
    """The provider calls the request itself bad; the caller sees the provider's 4xx."""

    status = 400
    kind = "refused"

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message, param=param, code=code, detail=detail)
        self.status = status


class UpstreamLostFile(UpstreamRefused):
    """The provider does not know, or denies us, a file that the request names. One that the gateway
    has uploaded it uploads once more.
    """


class InternalError(GatewayError):
    """A bug of ours; the log holds the traceback under the request id."""


def foremost(failures: ExceptionGroup) -> Exception:
    """What to say of several failures: what the caller can mend or wait for, if there is such."""
    for error in failures.exceptions:
        if isinstance(error, GatewayError):
            return error
    return failures.exceptions[0]
