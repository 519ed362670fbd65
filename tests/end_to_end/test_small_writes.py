"""Nothing that is served may wait for an acknowledgement before its next small write goes out."""

import asyncio
import socket

from dragoman import app
from support.simulator import running_simulator


def has_no_delay(transport):
    sock = transport.get_extra_info("socket")
    return bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


async def test_accepted_clients_get_small_writes_at_once():
    accepted = asyncio.get_running_loop().create_future()
    listener = app._listen("127.0.0.1", 0)
    server = await asyncio.start_server(
        lambda _reader, writer: accepted.set_result(writer), sock=listener
    )
    async with server:
        _, writer = await asyncio.open_connection(*listener.getsockname())
        served = await accepted
        assert has_no_delay(served.transport)
        for end in (served, writer):
            end.close()


def test_the_gateways_clients_get_small_writes_at_once(gateway):
    with socket.create_connection(("127.0.0.1", gateway.port)) as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\nhost: gateway\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 200")

        def connections():
            return [c.transport for c in gateway.server.server_state.connections]

        assert all(has_no_delay(transport) for transport in gateway.ask_loop(connections))


def test_the_simulators_send_small_writes_at_once():
    with running_simulator() as simulator, socket.create_connection(simulator.address) as sock:
        sock.sendall(b"GET /_control HTTP/1.1\r\nhost: simulator\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        connections = list(simulator.server._server.server_state.connections)
        assert connections
        assert all(has_no_delay(connection.transport) for connection in connections)
