"""The only place that opens a connection outward.

``calls`` is what the rest of the house sees: a call, a listener for its answer, a flight to
steer it. ``fetch.Network`` is built once for each provider: it gives an origin's pool and makes
one-shot requests. Below it, from top to bottom: ``pool`` (the connections of one origin and the
line before them), ``flight`` (one call and its time-outs), ``dialing`` (names, happy eyeballs),
``proxy`` (HTTP CONNECT, SOCKS5), ``tls`` (certificates), ``http1`` (one connection), ``answer``
(framing), ``content_coding`` (gzip nobody asked for), ``addresses`` (URLs).
"""
