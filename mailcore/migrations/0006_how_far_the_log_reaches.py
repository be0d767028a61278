from django.db import migrations, models
from django.db.models import F


def begin_here(apps, schema_editor):
    """What was forgotten before now nobody knows; no client can ask about it yet either."""
    apps.get_model("mailcore", "Folder").objects.update(log_from=F("modseq"))


class Migration(migrations.Migration):
    dependencies = [
        ("mailcore", "0005_text_index"),
    ]

    operations = [
        migrations.AddField(
            model_name="folder",
            name="log_from",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.RunPython(begin_here, migrations.RunPython.noop),
    ]
