"""The operating system's limit of open files, which bounds the number of connections."""

import sys

import structlog

_log = structlog.get_logger(__name__)


class TooFewFiles(Exception):
    """The limit of open files leaves no place for connections; the message says what to do."""


def affordable_connections(wanted: int, other_files: int) -> int:
    """How many connections may be open, at most `wanted`, while `other_files` stay free for all else.

    Raises the soft limit to the hard one. Warns where even that allows fewer; raises TooFewFiles where it
    allows none.
    """
    limit = _raised_limit()
    if limit is None or limit - other_files >= wanted:
        return wanted
    affordable = limit - other_files
    if affordable < 1:
        raise TooFewFiles(
            f"the limit of open files is {limit}, and {other_files} of them are needed beside connections: "
            "raise it (ulimit -n, LimitNOFILE)"
        )
    _log.warning(
        "connections_limited",
        max_connections=wanted,
        allowed=affordable,
        open_files_limit=limit,
        action="raise the hard limit of open files, or lower connections.max_connections",
    )
    return affordable


def _raised_limit() -> int | None:
    """This process's limit of open files, raised as far as it may; None where there is none."""
    if sys.platform == "win32":
        return None
    import resource  # Not on Windows.

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):  # macOS: the hard limit may be more than the kernel allows
            return soft
    return None if hard == resource.RLIM_INFINITY else hard
