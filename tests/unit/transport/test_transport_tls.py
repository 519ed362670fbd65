"""TLS with a test authority: whom we trust, as whom we come, and what the operator is told."""

import datetime as dt
import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from dragoman.errors import UpstreamUnavailable
from dragoman.transport.calls import Timeouts
from dragoman.transport.tls import BadTlsSettings, TlsSettings, tls_context
from support.descriptors import descriptors_come_back
from support.recording_listener import RecordingListener
from support.scripted_upstream import ScriptedUpstream, answering, chunked, ok


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def server_context(certificate, **options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    certificate.configure_cert(context)
    return context


@pytest.fixture
def serving(authority):
    return server_context(authority.issue_cert("127.0.0.1", "localhost"))


async def outcome(network, url, request):
    listener = RecordingListener()
    network.origin(url).send(request, listener)
    return await listener.finished()


async def test_a_bundle_is_trusted_beside_the_system_and_connections_are_reused(
    networks, post, bundle, serving
):
    async with ScriptedUpstream(
        answering(chunked(b"a" * 20_000, b"b"), ok(b"x")), context=serving
    ) as upstream:
        network = networks(tls=TlsSettings(ca_bundle=bundle))
        first = await outcome(network, upstream.url, post(b"p" * 300_000))
        assert first.body == b"a" * 20_000 + b"b"
        assert (await outcome(network, upstream.url, post())).body == b"x"
        assert upstream.connections == 1
        chosen = upstream.peers[0].writer.get_extra_info("ssl_object")
        assert chosen.selected_alpn_protocol() == "http/1.1"
        assert len(upstream.requests[0].body) == 300_000


def test_the_system_store_stays_trusted(bundle):
    system = ssl.create_default_context().cert_store_stats()["x509_ca"]
    context = tls_context(TlsSettings(ca_bundle=bundle))
    assert context.cert_store_stats()["x509_ca"] == system + 1
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


async def test_an_unknown_authority_is_refused_with_advice(networks, post, serving):
    async with ScriptedUpstream(context=serving) as upstream:
        async with descriptors_come_back():
            listener = await outcome(networks(), upstream.url, post())
        assert isinstance(listener.error, UpstreamUnavailable)
        assert "ca_bundle" in listener.error.detail
        assert "national or company CA" in listener.error.detail
        assert "127.0.0.1" not in listener.error.message
        assert upstream.requests == []


async def test_a_bundle_belongs_to_its_network_alone(networks, post, bundle, serving):
    async with ScriptedUpstream(answering(ok(b"x")), context=serving) as upstream:
        trusting = networks(tls=TlsSettings(ca_bundle=bundle))
        assert (await outcome(trusting, upstream.url, post())).body == b"x"
        assert (await outcome(networks(), upstream.url, post())).error is not None


async def test_an_expired_certificate_is_refused(networks, post, authority, bundle):
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = authority.issue_cert("127.0.0.1", not_after=past)
    async with ScriptedUpstream(context=server_context(certificate)) as upstream:
        network = networks(tls=TlsSettings(ca_bundle=bundle))
        listener = await outcome(network, upstream.url, post())
        assert isinstance(listener.error, UpstreamUnavailable)
        assert "expired" in listener.error.detail
        assert "renewed" in listener.error.detail


async def test_a_certificate_for_another_name_is_refused(networks, post, authority, bundle):
    certificate = authority.issue_cert("elsewhere.example")
    async with ScriptedUpstream(
        answering(ok(b"x")), context=server_context(certificate)
    ) as upstream:
        network = networks(tls=TlsSettings(ca_bundle=bundle))
        listener = await outcome(network, upstream.url, post())
        assert isinstance(listener.error, UpstreamUnavailable)
        assert "base_url" in listener.error.detail
        named = networks(tls=TlsSettings(ca_bundle=bundle, server_name="elsewhere.example"))
        assert (await outcome(named, upstream.url, post())).body == b"x"


async def test_verification_can_be_switched_off(networks, post, serving):
    async with ScriptedUpstream(answering(ok(b"x")), context=serving) as upstream:
        network = networks(tls=TlsSettings(verify=False))
        assert (await outcome(network, upstream.url, post())).body == b"x"


@pytest.fixture
def identity(authority, tmp_path):
    certificate = authority.issue_cert("client@example.org")
    paths = tmp_path / "client.pem", tmp_path / "client.key"
    paths[0].write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    paths[1].write_bytes(certificate.private_key_pem.bytes())
    return str(paths[0]), str(paths[1])


async def test_mutual_tls(networks, post, authority, bundle, serving, identity):
    serving.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(serving)
    async with ScriptedUpstream(answering(ok(b"x")), context=serving) as upstream:
        known = networks(
            tls=TlsSettings(
                ca_bundle=bundle, client_certificate=identity[0], client_key=identity[1]
            )
        )
        assert (await outcome(known, upstream.url, post())).body == b"x"
        unknown = networks(tls=TlsSettings(ca_bundle=bundle))
        listener = await outcome(unknown, upstream.url, post())
        assert isinstance(listener.error, UpstreamUnavailable)


async def test_plain_text_where_tls_is_spoken_is_unavailable(networks, post):
    async def plain(peer):
        await peer.reader.read(1)
        await peer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")

    async with ScriptedUpstream(plain) as upstream, descriptors_come_back():
        listener = await outcome(networks(), upstream.url.replace("http:", "https:"), post())
        assert isinstance(listener.error, UpstreamUnavailable)
        assert "TLS handshake failed" in listener.error.detail


async def test_a_handshake_that_stands_still_times_out(networks, post):
    async def silent(peer):
        await peer.gone()

    async with ScriptedUpstream(silent) as upstream, descriptors_come_back():
        network = networks(timeouts=Timeouts(connect=0.05))
        listener = await outcome(network, upstream.url.replace("http:", "https:"), post())
        assert listener.error.code == "connect"


def test_an_encrypted_key_needs_its_password(identity, tmp_path):
    certificate, key = identity
    plain = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"sesame"),
        )
    )
    right = TlsSettings(
        client_certificate=certificate, client_key=str(locked), client_key_password="sesame"
    )
    tls_context(right)
    for password in (None, "wrong"):
        wrong = TlsSettings(
            client_certificate=certificate, client_key=str(locked), client_key_password=password
        )
        with pytest.raises(BadTlsSettings, match="password") as raised:
            tls_context(wrong)
        assert "wrong " not in str(raised.value).replace("missing or wrong", "")
    assert "sesame" not in repr(right)


def test_each_bad_file_is_named_with_what_is_wrong(identity, bundle, tmp_path, authority):
    certificate, key = identity
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    other = tmp_path / "other.key"
    other.write_bytes(authority.issue_cert("x@example.org").private_key_pem.bytes())
    cases = [
        (TlsSettings(ca_bundle="/nowhere/ca.pem"), "CA bundle /nowhere/ca.pem cannot be read"),
        (TlsSettings(ca_bundle=str(tmp_path)), "cannot be read"),
        (TlsSettings(ca_bundle=str(empty)), "holds no certificates"),
        (TlsSettings(ca_bundle=key), "holds no certificates"),
        (TlsSettings(client_certificate="/nowhere/c.pem"), "client certificate /nowhere/c.pem"),
        (
            TlsSettings(client_certificate=certificate, client_key="/nowhere/k"),
            "client key /nowhere/k",
        ),
        (TlsSettings(client_certificate=certificate), "holds no private key"),
        (TlsSettings(client_certificate=key, client_key=key), "holds no certificate"),
        (TlsSettings(client_certificate=certificate, client_key=str(other)), "does not belong"),
        (TlsSettings(client_key=key), "needs a client certificate"),
    ]
    for settings, message in cases:
        with pytest.raises(BadTlsSettings, match=message):
            tls_context(settings)
