"""Settings of the database."""

from pathlib import Path
from typing import Annotated

from trade_service.section import Section, Setting


class StoreSettings(Section, frozen=True):
    """PostgreSQL. After loading, `url` is complete: postgresql://user:password@host:port/database?params."""

    url: Annotated[
        str | None,
        Setting(
            "Database to use: postgresql://user:password@host:5432/database.",
            env=("DATABASE_URL", "SPRING_DATASOURCE_URL"),
            none="the embedded PostgreSQL",
            may_hold_secret=True,
        ),
    ] = None
    username: Annotated[
        str | None,
        Setting(
            "User, if not in the URL.",
            env=("DATABASE_USERNAME", "SPRING_DATASOURCE_USERNAME"),
            none="as the URL says",
            may_hold_secret=True,
        ),
    ] = None
    password: Annotated[
        str | None,
        Setting(
            "Password, if not in the URL.",
            env=("DATABASE_PASSWORD", "SPRING_DATASOURCE_PASSWORD"),
            none="as the URL says",
            secret=True,
        ),
    ] = None
    pool_size: Annotated[
        int,
        Setting(
            "Maximum number of connections, beside one for probes and one for operators per process; lists use "
            "at most half of them.",
            1,
            500,
            share=1,
        ),
    ] = 8
    pool_timeout_s: Annotated[float, Setting("Maximum wait for a free connection.", 0.1, 600)] = 10.0
    connect_timeout_s: Annotated[float, Setting("Maximum time to connect.", 0.1, 600)] = 10.0
    statement_timeout_s: Annotated[float, Setting("Maximum time of a statement.", 0.1, 3600)] = 30.0
    prepared_statements: Annotated[
        bool | None,
        Setting(
            "Keep prepared statements; false where a pooler such as PgBouncer shares sessions and the service "
            "does not find that out.",
            none="found out at the start",
        ),
    ] = None
    allow_data_loss: Annotated[
        bool,
        Setting(
            "Start even if the server may lose committed data: fsync off, unlogged tables. For tests only."
        ),
    ] = False
    migrate: Annotated[
        bool,
        Setting(
            "Migrate the database when the service starts; false: only check, `trade-service db migrate` does it."
        ),
    ] = True
    refused_programs: Annotated[
        tuple[str, ...],
        Setting(
            "Names of programs (application_name) whose sessions in this database stop the start and the "
            "adoption. The default is that of the legacy service, which must not run beside this one; empty "
            "allows all.",
        ),
    ] = ("PostgreSQL JDBC Driver",)
    data_dir: Annotated[
        str | None,
        Setting(
            "Folder of the embedded PostgreSQL.",
            min_length=1,
            none="the user's data folder; /var/lib/globeco-trade-service for root",
        ),
    ] = None

    @property
    def list_connections(self) -> int:
        """How many connections lists may use: the others are for what is written and sent."""
        return max(1, self.pool_size // 2)

    @property
    def data_path(self) -> Path | None:
        """`data_dir` as a path, a leading ~ replaced by the home directory."""
        return None if self.data_dir is None else Path(self.data_dir).expanduser()
