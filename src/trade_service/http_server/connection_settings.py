"""Settings of the server's connections."""

from typing import Annotated

from trade_service.section import Section, Setting


class ConnectionSettings(Section, frozen=True):
    """Bounds on what connections can cost. The defaults are more than an honest client needs."""

    max_connections: Annotated[
        int,
        Setting(
            "Maximum number of open connections, also bounded by the limit of open files. To accept one more, the "
            "connection that has waited longest for a request is closed.",
            1,
            1_000_000,
            share=1,
        ),
    ] = 10_000
    backlog: Annotated[int, Setting("Connections that may wait to be accepted.", 1, 65_535)] = 2048
    max_pipelined: Annotated[
        int, Setting("Requests of one connection that may wait for the answers before them.", 1, 1_000)
    ] = 16
    header_timeout_s: Annotated[
        float, Setting("Time for the head of a request to arrive; past it the answer is 408.", 0.1, 3600)
    ] = 15.0
    keep_alive_s: Annotated[
        int,
        Setting("How long an idle connection stays open: longer than clients and proxies keep it.", 1, 3600),
    ] = 75
    rest_timeout_s: Annotated[
        float, Setting("Time for the rest of a request to arrive once it has been answered.", 0.1, 3600)
    ] = 5.0
    max_rest_bytes: Annotated[
        int, Setting("Most bytes read of a request once it has been answered.", 0, 1_000_000_000)
    ] = 10_000_000
    write_timeout_s: Annotated[
        float, Setting("Time in which a client must read 64 KiB of an answer, or all of it.", 0.1, 3600)
    ] = 30.0
    max_unread_bytes: Annotated[
        int,
        Setting(
            "Most bytes of answers kept for clients that do not read them; past it the slowest is cut off.",
            65_536,
            100_000_000_000,
            share=65536,
        ),
    ] = 64_000_000
