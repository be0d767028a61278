"""How PostgreSQL lays the hot tables out: room for updates in place, and no second compression."""

from django.db import migrations

STATEMENTS = (
    "ALTER TABLE message SET (fillfactor = 70)",
    "ALTER TABLE folder SET (fillfactor = 50)",
    "ALTER TABLE mailbox SET (fillfactor = 50)",
    "ALTER TABLE queue_entry SET (fillfactor = 70)",
    "ALTER TABLE content ALTER COLUMN payload SET STORAGE EXTERNAL",
)


def lay_out(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for statement in STATEMENTS:
            schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("mailcore", "0001_store")]
    operations = [migrations.RunPython(lay_out, migrations.RunPython.noop)]
