from django.db import migrations

# The sessions of `django.contrib.sessions`, which is installed no more: everybody signs in anew, once.
_GO = """
DROP TABLE IF EXISTS django_session;
DELETE FROM django_migrations WHERE app = 'sessions';
"""


class Migration(migrations.Migration):
    dependencies = [("auth2fa", "0004_fences")]

    operations = [migrations.RunSQL(_GO, migrations.RunSQL.noop)]
