"""PostgreSQL: the tables, one module a family of statements, migrations, the embedded server."""
