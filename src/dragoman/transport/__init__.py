"""The only place that opens a connection outward.

``calls`` is what the rest of the house sees: a call, a listener for its answer, a flight to
steer it. ``http1`` is one connection, ``pool`` the connections of one origin with its limits
and time-outs, ``tls`` the certificates, ``proxy`` the way through HTTP CONNECT and SOCKS5.
"""
