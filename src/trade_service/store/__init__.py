"""PostgreSQL: one module for each family of statements, migrations, the embedded server."""
