"""Converts the database URLs of several frameworks to one form."""

import re
import ssl
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import msgspec

ACCEPTED = "postgresql://, postgres://, postgresql+asyncpg:// or jdbc:postgresql://"
RULE = f"a PostgreSQL URL ({ACCEPTED})"
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_SCHEMES = {"postgresql", "postgres", "postgresql+asyncpg"}
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._%-]+)(?::(?P<port>\d{1,5}))?", re.ASCII)
_OTHER_NAMES = {"ApplicationName": "application_name", "targetServerType": "target_session_attrs"} | {
    "currentSchema": "schema"
}
_KEPT_OF_JDBC = {"sslmode", "sslrootcert", "sslcert", "sslkey", "options", "application_name"}
_TARGETS = {"master": "primary", "slave": "standby", "secondary": "standby"} | {
    "preferSlave": "prefer-standby", "preferSecondary": "prefer-standby", "preferPrimary": "any",
}  # fmt: skip
_INSTEAD = {
    "connectTimeout": "database.connect_timeout_s",
    "loginTimeout": "database.connect_timeout_s",
    "connect_timeout": "database.connect_timeout_s",
    "socketTimeout": "database.statement_timeout_s",
    "socket_timeout": "database.statement_timeout_s",
    "prepareThreshold": "database.prepared_statements",
    "statement_cache_size": "database.prepared_statements",
    "connection_limit": "database.pool_size",
    "pool_timeout": "database.pool_timeout_s",
    "sslaccept": "sslmode",
}
"""Parameters that a setting stands for, of libpq and of other drivers."""
_DROPPED = {
    *(
        "channel_binding",
        "gssencmode",
        "gssdelegation",
        "keepalives",
        "keepalives_idle",
        "keepalives_interval",
    ),
    *(
        "keepalives_count",
        "tcp_user_timeout",
        "sslcompression",
        "sslsni",
        "uselibpqcompat",
        "load_balance_hosts",
    ),
    *("fallback_application_name", "client_encoding", "hostaddr", "pgbouncer", "supa", "workaround"),
}
"""Parameters of libpq's connection, and of poolers, without a meaning for this driver."""
_UNSUPPORTED = {"require_auth", "replication", "requiressl", "requirepeer", "sslcertmode"}
"""Parameters that demand what this driver cannot check or do."""


class DatabaseUrl(msgspec.Struct, frozen=True):
    """The parts of a URL; `hosts` as written (`host:port`, several with commas), the rest decoded."""

    username: str | None
    password: str | None
    hosts: str
    database: str
    parameters: dict[str, str]

    def text(self) -> str:
        """The libpq form: postgresql://user:password@host:port/database?params, escaped where needed."""
        user = "" if self.username is None else quote(self.username, safe="")
        if self.password is not None:
            user += f":{quote(self.password, safe='')}"
        query = f"?{urlencode(self.parameters, quote_via=quote)}" if self.parameters else ""
        return f"postgresql://{user}{'@' if user else ''}{self.hosts}/{quote(self.database, safe='')}{query}"


def parse_database_url(value: str) -> tuple[DatabaseUrl, tuple[str, ...]]:
    """The URL, and remarks on parameters without effect; raises ValueError with the rule, without the value."""
    is_jdbc = value.lower().startswith("jdbc:")
    rest = value[5:] if is_jdbc else value
    if is_jdbc and not rest.lower().startswith("postgresql://"):
        rest = re.sub(r"(?i)^postgresql:/?(?=[^/])", "postgresql://localhost/", rest)
    scheme, separator, _ = rest.partition("://")
    if not separator or scheme.lower() not in _SCHEMES or any(c.isspace() or ord(c) < 32 for c in rest):
        raise ValueError(RULE)
    try:
        parts = urlsplit(rest)
    except ValueError:  # an unclosed bracket
        raise ValueError(f"{RULE} with a valid host") from None
    if parts.fragment:
        raise ValueError(f'{RULE}; "#" in a password is written %23')
    login, _, hosts = parts.netloc.rpartition("@")
    _check_hosts(hosts)
    database = unquote(parts.path.removeprefix("/"))
    if not database or "/" in database:
        raise ValueError(f"{RULE} that ends with one database name, such as postgresql://host:5432/trade")
    parameters, remarks = _parameters(parts.query, is_jdbc)
    username, colon, password = login.partition(":")
    url = DatabaseUrl(
        username=unquote(username) or parameters.pop("user", None),
        password=unquote(password) if colon else parameters.pop("password", None),
        hosts=hosts,
        database=database,
        parameters={key: text for key, text in parameters.items() if key not in {"user", "password"}},
    )
    return url, remarks


def _check_hosts(hosts: str) -> None:
    """An empty host is the local socket, as for libpq."""
    for host in hosts.split(",") if hosts else ():
        match = _HOST.fullmatch(host)
        if match is None or not 0 < int(match["port"] or 5432) <= 65535:
            raise ValueError(
                f'{RULE} with a valid host and a port from 1 to 65535; "/", "?", "#" and "@" in a password '
                "are written %2F, %3F, %23 and %40"
            )


def _parameters(query: str, is_jdbc: bool) -> tuple[dict[str, str], tuple[str, ...]]:
    kept: dict[str, str] = {}
    remarks: list[str] = []
    kind = "JDBC parameter" if is_jdbc else "parameter"
    for name, text in parse_qsl(query, keep_blank_values=True):
        key = _OTHER_NAMES.get(name, name)
        if key in _UNSUPPORTED:
            raise ValueError(f"{RULE} without the parameter {name}, which is not supported")
        if key in {"ssl", "sslfactory"}:
            kept.setdefault("sslmode", _ssl_mode(key, text))
        elif key == "schema":
            kept["options"] = f"-csearch_path={text}"
        elif key == "target_session_attrs":
            kept[key] = _TARGETS.get(text, text)
        elif key in _INSTEAD or key in _DROPPED:
            instead = _INSTEAD.get(key)
            remarks.append(f"the {kind} {key!r} is ignored" + (f", use {instead}" if instead else ""))
        elif not is_jdbc or key in _KEPT_OF_JDBC | {"user", "password"}:
            kept[key] = text
        else:
            remarks.append(f"the {kind} {key!r} is ignored")
    if kept.get("sslmode") == "":
        del kept["sslmode"]
    if "sslmode" in kept and kept["sslmode"] not in SSL_MODES:
        raise ValueError(f"{RULE} whose sslmode is one of {', '.join(SSL_MODES)}")
    if kept.get("sslrootcert") == "system":
        kept["sslrootcert"] = ssl.get_default_verify_paths().cafile or "system"
    return kept, tuple(remarks)


def _ssl_mode(key: str, text: str) -> str:
    """`ssl=true` requires a verified certificate, as in the JDBC driver; modes stay as they are."""
    if key == "sslfactory":
        return "require" if text.endswith("NonValidatingFactory") else ""
    return {"true": "verify-full", "": "verify-full", "false": ""}.get(text.lower(), text)
