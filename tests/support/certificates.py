"""A test authority with files for a server and for a client."""

import contextlib

import trustme

from dragoman.simulators.server import TlsFiles
from support.simulator import running_simulator


class Certificates:
    """Paths of PEM files in ``folder``."""

    def __init__(self, folder):
        authority = trustme.CA()
        self.authority = str(folder / "authority.pem")
        authority.cert_pem.write_to_path(self.authority)
        self.server, self.server_key = _written(
            authority.issue_cert("127.0.0.1", "localhost"), folder, "server"
        )
        self.client, self.client_key = _written(
            authority.issue_cert("client@example.org", common_name="company"), folder, "client"
        )


def _written(certificate, folder, name):
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    paths[1].write_bytes(certificate.private_key_pem.bytes())
    return str(paths[0]), str(paths[1])


@contextlib.contextmanager
def secure_simulator(certificates):
    """A simulator over TLS that also takes the client's certificate for a credential."""
    files = TlsFiles(
        certificate=certificates.server,
        key=certificates.server_key,
        client_ca=certificates.authority,
    )
    with running_simulator(tls=files) as simulator:
        yield simulator
