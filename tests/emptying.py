"""Empty PostgreSQL's tables between tests in milliseconds.

Django truncates all of them, which makes new files for each table and each of its indexes: a quarter of a
second for a test that wrote three rows. Deleting what is there costs nothing where nothing is. Foreign keys
are left alone meanwhile, which a superuser may ask for; anybody else gets TRUNCATE.
"""

from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations

_truncate = DatabaseOperations.sql_flush


def _delete(self, style, tables, *, reset_sequences=False, allow_cascade=False) -> list[str]:
    if reset_sequences or not tables or not _is_superuser():
        return _truncate(
            self, style, tables, reset_sequences=reset_sequences, allow_cascade=allow_cascade
        )  # fmt: skip
    deletes = " ".join(f"DELETE FROM {self.quote_name(table)};" for table in tables)
    return [f"DO $$ BEGIN SET LOCAL session_replication_role = replica; {deletes} END $$;"]


def _is_superuser() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])


def by_deleting() -> None:
    """Have Django's tests empty tables so from here on."""
    DatabaseOperations.sql_flush = _delete
