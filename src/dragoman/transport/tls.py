"""Certificates: whom an origin trusts and as whom it presents itself.

``TlsSettings`` are plain values from the settings, ``tls_context`` makes the one
``ssl.SSLContext`` of an origin from them and complains about each file by name, and
``explain`` tells the operator what to do when a handshake fails.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from msgspec import Struct


class TlsSettings(Struct, frozen=True, kw_only=True):
    """How TLS is spoken with one origin."""

    ca_bundle: str | None = None
    """Path of a PEM file with authorities that are trusted beside the system's."""
    client_certificate: str | None = None
    """Path of a PEM file with our certificate and its chain (mutual TLS)."""
    client_key: str | None = None
    """Path of its PEM key, where the certificate's file does not hold it."""
    client_key_password: str | None = None
    verify: bool = True
    """``False`` accepts any certificate of anybody."""
    server_name: str | None = None
    """Name that is asked for and that the certificate must hold, where it is not the URL's."""

    def __repr__(self) -> str:
        return (
            f"TlsSettings(ca_bundle={self.ca_bundle!r}, "
            f"client_certificate={self.client_certificate!r}, verify={self.verify!r}, "
            f"server_name={self.server_name!r})"
        )


class BadTlsSettings(ValueError):
    """A certificate file that cannot be used; the text says which and why, and no secret."""


def tls_context(settings: TlsSettings) -> ssl.SSLContext:
    """TLS 1.2 or later, HTTP/1.1 only, the system's authorities and the operator's own.

    Raises:
        BadTlsSettings: a file is missing, unreadable, no PEM, or key and certificate differ.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if settings.ca_bundle is not None:
        _trust(context, settings.ca_bundle)
    if settings.client_certificate is not None:
        _present(context, settings.client_certificate, settings)
    elif settings.client_key is not None:
        raise BadTlsSettings("a client key needs a client certificate beside it")
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _trust(context: ssl.SSLContext, path: str) -> None:
    _readable(path, "CA bundle")
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise BadTlsSettings(
            f"the CA bundle {path} holds no certificates in PEM form ({error.reason})"
        ) from error
    # Python 3.13 and later refuse authorities without key identifiers; many private ones have
    # none, and who names a file wants it trusted on every Python.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT


def _present(context: ssl.SSLContext, certificate: str, settings: TlsSettings) -> None:
    _readable(certificate, "client certificate")
    if settings.client_key is not None:
        _readable(settings.client_key, "client key")
    key = settings.client_key or certificate
    # Without a password OpenSSL would ask the terminal for one.
    password = settings.client_key_password or ""
    try:
        context.load_cert_chain(certificate, settings.client_key, password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise BadTlsSettings(
                f"the client key in {key} does not belong to the certificate in {certificate}"
            ) from error
        if "PRIVATE KEY-----" not in Path(key).read_text("latin-1"):
            raise BadTlsSettings(f"{key} holds no private key in PEM form") from error
        if "-----BEGIN CERTIFICATE-----" not in Path(certificate).read_text("latin-1"):
            raise BadTlsSettings(
                f"the client certificate {certificate} holds no certificate in PEM form"
            ) from error
        raise BadTlsSettings(
            f"the client key in {key} cannot be read: damaged, or encrypted and the password is "
            f"missing or wrong ({error.reason or error})"
        ) from error


def _readable(path: str, what: str) -> None:
    try:
        Path(path).read_bytes()
    except OSError as error:
        raise BadTlsSettings(f"the {what} {path} cannot be read: {error.strerror}") from error


_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})
"""X509_V_ERR_: self-signed, self-signed in chain, no local issuer, cannot verify the leaf."""
_NOT_YET, _EXPIRED = 9, 10
_WRONG_NAME = frozenset({62, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH."""


def is_unknown_authority(error: BaseException) -> bool:
    """Whether a handshake failed because no trusted authority has issued the certificate."""
    return (
        isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in _UNKNOWN_AUTHORITY
    )


def explain(error: ssl.SSLError) -> str:
    """What happened in a handshake and what the operator can do about it."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS handshake failed: {error.reason or error}"
    said = f"TLS certificate not accepted: {error.verify_message}"
    if is_unknown_authority(error):
        return (
            f"{said}. If it was issued by a national or company CA, or by the server itself, name "
            "a file with that CA's certificate in ca_bundle"
        )
    if error.verify_code in {_NOT_YET, _EXPIRED}:
        return f"{said}. The server's certificate must be renewed, or this machine's clock is wrong"
    if error.verify_code in _WRONG_NAME:
        return f"{said}. Use a base_url with a name for which the certificate was issued"
    return said
