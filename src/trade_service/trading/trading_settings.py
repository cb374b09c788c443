"""Settings of the use cases: idempotency keys, fills, names and lists."""

from typing import Annotated

from trade_service.section import Section, Setting, root_url


class FillSettings(Section, frozen=True):
    """Fills whose reports were lost are fetched from the Execution Service's ledger."""

    check_every_s: Annotated[
        float, Setting("Interval of the check, whichever replica runs it; 0 disables it.", 0, 86_400)
    ] = 300.0
    check_pages: Annotated[
        int,
        Setting(
            "Maximum number of pages (of 100) per check: half of them the newest, half continuing where the "
            "last check stopped.",
            2,
            10_000,
        ),
    ] = 10


class IdempotencySettings(Section, frozen=True):
    """Idempotency-Key headers."""

    keep_s: Annotated[
        int, Setting("Retention of keys and responses; at least a day.", 86_400, 31_536_000)
    ] = 86_400
    max_answer_bytes: Annotated[
        int,
        Setting("Largest response kept; repeats of a larger one get the present state.", 0, 10_000_000),
    ] = 262_144
    sweep_s: Annotated[float, Setting("Interval between removals of expired records.", 1, 86_400)] = 60.0
    sweep_limit: Annotated[int, Setting("Records removed per statement.", 1, 100_000)] = 1000


class AuditLogSettings(Section, frozen=True):
    """The audit log: who changed what, when, and from where."""

    enabled: Annotated[bool, Setting("Record every change that callers and commands make.")] = True


class RetentionSettings(Section, frozen=True):
    """How long finished rows stay in the database before `trade-service archive` moves them to files."""

    executions_days: Annotated[
        int, Setting("Days that executions stay, counted from their creation; 0: for ever.", 0, 36_500)
    ] = 0
    attempts_days: Annotated[
        int, Setting("Days that attempts stay, counted from their start; 0: for ever.", 0, 36_500)
    ] = 400
    evidence_days: Annotated[
        int, Setting("Days that evidence stays, counted from when it was found; 0: for ever.", 0, 36_500)
    ] = 0
    audit_log_days: Annotated[
        int, Setting("Days that entries of the audit log stay; 0: for ever.", 0, 36_500)
    ] = 0
    bulk_submissions_days: Annotated[
        int,
        Setting(
            "Days that bulk submissions stay, fewer than submission.bulk_keep_s; 0: they are "
            "removed after that without being archived.",
            0,
            364,
        ),
    ] = 0
    archive_dir: Annotated[
        str | None, Setting("Folder of the archive.", min_length=1, none="`archive` needs --dir")
    ] = None
    file_rows: Annotated[
        int,
        Setting(
            "Maximum number of rows in a file; they leave the database in one transaction.", 100, 100_000
        ),
    ] = 2_000
    busy_percent: Annotated[
        float,
        Setting("Percentage of the time that archiving works; it pauses for the rest.", 0.1, 100),
    ] = 5.0


class SecurityServiceSettings(Section, frozen=True):
    """The security service, source of tickers."""

    base_url: Annotated[
        str,
        Setting(
            "Address of the security service.",
            env=("EXTERNAL_SECURITY_SERVICE_BASE_URL",),
            check=root_url,
            may_hold_secret=True,
        ),
    ] = "http://localhost:8000"


class PortfolioServiceSettings(Section, frozen=True):
    """The portfolio service, source of portfolio names."""

    base_url: Annotated[
        str,
        Setting(
            "Address of the portfolio service.",
            env=("EXTERNAL_PORTFOLIO_SERVICE_BASE_URL",),
            check=root_url,
            may_hold_secret=True,
        ),
    ] = "http://localhost:8001"


class NamesSettings(Section, frozen=True):
    """Names of portfolios and securities in lists; the database keeps them."""

    wait_ms: Annotated[
        int, Setting("Maximum time a request waits for names; ids stand in for missing ones.", 0, 10_000)
    ] = 1_000
    ttl_s: Annotated[float, Setting("Age from which a listed name is refreshed.", 1, 604_800)] = 300.0
    timeout_ms: Annotated[int, Setting("Time-out of a call to either service.", 10, 60_000)] = 2_000
    max_connections: Annotated[
        int, Setting("Maximum number of concurrent calls per service.", 1, 1_000, share=1)
    ] = 16
    max_kept: Annotated[
        int, Setting("Maximum number of names of each kind in the database.", 1_000, 10_000_000)
    ] = 200_000
    tls_ca: Annotated[
        str | None,
        Setting(
            "PEM file of the authorities that the certificates of both services must come from.",
            min_length=1,
            none="the system's authorities",
        ),
    ] = None
    tls_certificate: Annotated[
        str | None,
        Setting("PEM file of our client certificate (mutual TLS).", min_length=1, none="none is presented"),
    ] = None
    tls_key: Annotated[
        str | None,
        Setting("PEM file of its private key.", min_length=1, none="it is in the certificate's file"),
    ] = None
    poll_s: Annotated[
        float, Setting("Interval at which the names of new trade orders are fetched.", 0.1, 86_400)
    ] = 60.0


class ListSettings(Section, frozen=True):
    """Totals of lists."""

    counted_up_to: Annotated[
        int,
        Setting("Totals up to this are counted for every page unless that is slow.", 1, 1_000_000),
    ] = 10_000
    count_wait_ms: Annotated[
        int,
        Setting(
            "Maximum time a list waits for its total; after that an estimate stands in and counting continues. "
            "A total that takes longer to count is cached, however small it is.",
            10,
            10_000,
        ),
    ] = 250
    total_fresh_s: Annotated[
        float, Setting("Age from which a cached total is recounted in the background.", 0, 3_600)
    ] = 5.0
    total_max_age_s: Annotated[
        float, Setting("Age from which a cached total counts as an estimate.", 0, 86_400)
    ] = 60.0
