"""The tables that the service always had: created on an empty database, found on an old one."""

from alembic import op

from trade_service.store.migrations import earlier_schema as earlier

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates the tables with their reference data, unless the legacy service did."""
    if earlier.is_present(op.get_bind()):
        return
    for statement in (*earlier.CREATE_TABLES, *earlier.REFERENCE_DATA):
        op.execute(statement)


def downgrade() -> None:
    """Nothing: these tables and their rows belong to the users."""
