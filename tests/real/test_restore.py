"""Backup and restore, by the very lines of the operations page, from one cluster and token into others."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg2
import pytest
from cryptography import x509

from lifecycle.authorities.models import CertificateAuthority
from portal.demo.child import Child, bare_environment, wait_until
from portal.demo.embedded import Redis, SoftHsm
from portal.demo.nameserver import NameServer
from portal.demo.places import Places
from portal.demo.postgresql import SUPERUSER, PostgreSQL
from portal.demo.supervisor import worker_command
from portal.demo.surroundings import Surroundings
from portal.foundation.tenancy.context import acting_for
from tests.foundation.notarised import entered_key, sign, tell
from tests.plugins.services import ROOT, superuser_url, surroundings
from tests.world import issued, submitted

pytestmark = pytest.mark.django_db(transaction=True)

_FENCES = """
    SELECT 'table', relname, relrowsecurity::text, relforcerowsecurity::text, pg_get_userbyid(relowner),
           ARRAY(SELECT each::text FROM unnest(coalesce(relacl, acldefault('r', relowner))) AS each ORDER BY 1)::text
      FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
    UNION ALL SELECT 'policy', policyname, tablename, roles::text, qual, with_check FROM pg_policies
    UNION ALL SELECT 'trigger', tgname, tgrelid::regclass::text, pg_get_triggerdef(oid), '', ''
      FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'constraint', conname, conrelid::regclass::text, contype::text, convalidated::text, ''
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
     ORDER BY 1, 2, 3
"""


def blocks(language: str) -> list[str]:
    """Return the page's pieces of code in that language, in the section on backups."""
    page = (ROOT / "docs" / "operations.md").read_text()
    section = page.split("\n## Backup and restore\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def asked(url: str, statement: str) -> list[tuple]:
    with closing(psycopg2.connect(url)) as opened, opened.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def counted(url: str) -> dict[str, int]:
    names = asked(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {name: asked(url, f'SELECT count(*) FROM "{name}"')[0][0] for (name,) in names}


@dataclass
class Elsewhere:
    """Another machine, so to speak: a cluster, a broker and a token's folder of its own; the secrets are the same."""

    around: Surroundings
    backup: Path
    anchors: Path
    url: str

    def is_sealed(self) -> bool:
        return asked(self.url, "SELECT count(*) FROM audit_unsealed") == [(0,)]

    def shell(self, block: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a block of the page as `tool` would, with PostgreSQL's programs at hand."""
        told = {
            **self.around.environment("tool"),
            "PATH": f"{self.around.database._binaries}:{os.environ['PATH']}",
            "BACKUP": str(self.backup),
            "ANCHORS": str(self.anchors),
            **more,
        }
        return subprocess.run(["sh", "-euc", block], env=told, cwd=ROOT, capture_output=True, text=True, check=False)


def tokens_of(places: Places) -> Path:
    return places.var / "softhsm" / "tokens"


@pytest.fixture
def elsewhere(tmp_path_factory) -> Iterator[Elsewhere]:
    folder = tmp_path_factory.mktemp("e")
    places, ours = Places(folder / "var"), surroundings()
    for secret in ours.places.make("secrets").iterdir():
        shutil.copy(secret, places.make("secrets") / secret.name)
    database, broker = PostgreSQL(places, durable=False), Redis(places, durable=False)
    token = SoftHsm(places, label=ours.token._label)
    (places.make("softhsm") / f"{ours.token._label}.made").touch()  # what is restored need not be made
    token.start()
    around = Surroundings(places, ours.port, bare_environment(), database, broker, token, NameServer(places))
    backup, anchors = folder / "backup", folder / "anchors"
    backup.mkdir()
    anchors.mkdir()
    database.start()
    broker.start()
    yield Elsewhere(around, backup, anchors, database.url(SUPERUSER, "portal"))
    broker.stop()
    database.stop()
    if places.var not in database.home.parents:
        shutil.rmtree(database.home, ignore_errors=True)


@pytest.fixture
def backup_url(owner) -> Iterator[str]:
    """Make the page's role for backups, by the page's own statements; return its way in."""
    [statements] = blocks("sql")
    owner.execute(statements)
    yield (
        superuser_url()
        .replace(f"{SUPERUSER}:", "portal_backup:", 1)
        .replace(re.search(r"://\w+:(\w+)@", superuser_url())[1], quote("…"), 1)
    )
    owner.execute("REVOKE CONNECT ON DATABASE portal FROM portal_backup; DROP ROLE portal_backup")


def test_what_is_restored_is_whole_and_issues_the_next_certificate(acme, petra, elsewhere, backup_url):
    before = issued(petra, acme)
    waiting = submitted(petra, acme)
    assert sign(acme.pk, entered_key(), elsewhere.anchors) is not None
    tell(acme.pk, 1)  # a line of the last second, which is not sealed yet
    back_up, restore, verify = blocks("sh")

    made = elsewhere.shell(back_up, BACKUP_URL=backup_url, TOKEN=str(tokens_of(surroundings().places)))
    assert (made.returncode, made.stderr) == (0, "")
    done = elsewhere.shell(restore, SUPERUSER_URL=elsewhere.url, TOKEN=str(tokens_of(elsewhere.around.places)))
    assert done.returncode == 0, done.stderr
    assert counted(elsewhere.url) == counted(superuser_url())
    assert asked(elsewhere.url, _FENCES) == asked(superuser_url(), _FENCES)

    with running(elsewhere, "relay"):
        assert wait_until(elsewhere.is_sealed, 30.0, every=0.2)
        first = elsewhere.shell(verify)
        assert first.returncode == 0, first.stdout
        assert re.search(
            r"^acme: \d+ rows, all as written, signed up to row \d+, 1 anchors agree$", first.stdout, re.MULTILINE
        )
        with running(elsewhere, "signing"):
            state = f"SELECT state FROM requests_certificaterequest WHERE id = '{waiting.pk}'"
            assert wait_until(lambda: asked(elsewhere.url, state) == [("completed",)], 90.0, every=0.2)
        assert wait_until(elsewhere.is_sealed, 30.0, every=0.2)
        then = elsewhere.shell(verify)
        assert then.returncode == 0, then.stdout
        assert rows_of_acme(then) > rows_of_acme(first), "the chain goes on where it was"

    [(serial, der)] = asked(
        elsewhere.url, f"SELECT serial, der FROM certificates_certificate WHERE made_from = '{waiting.pk}'"
    )
    with acting_for(acme.pk):
        issuer = CertificateAuthority.objects.get(slug="issuing").certificate
    x509.load_der_x509_certificate(bytes(der)).verify_directly_issued_by(issuer)
    assert serial != before.serial
    handed_out = "SELECT sum(handed_out) FROM authorities_crlshard"
    assert asked(elsewhere.url, handed_out) > asked(superuser_url(), handed_out), "a place on a list would come twice"
    assert asked(superuser_url(), f"SELECT serial FROM certificates_certificate WHERE tenant_id = '{acme.pk}'") == [
        (before.serial,)
    ]


def rows_of_acme(told: subprocess.CompletedProcess[str]) -> int:
    return int(re.search(r"^acme: (\d+) rows", told.stdout, re.MULTILINE)[1])


class running:  # noqa: N801 - a `with` block reads like a sentence
    """A process of the restored portal; what waited in the dump is all that it knows."""

    def __init__(self, elsewhere: Elsewhere, service: str) -> None:
        relay = [sys.executable, "manage.py", "relay"]
        command = relay if service == "relay" else worker_command(service, "restored@localhost")
        around = elsewhere.around
        self.child = Child(service, command, around.environment(service), around.places.log(service), folder=ROOT)

    def __enter__(self) -> None:
        self.child.start()

    def __exit__(self, *_: object) -> None:
        self.child.stop()


def test_a_copy_that_lacks_what_was_signed_since_is_told_by_the_anchors(acme, elsewhere, backup_url):
    key = entered_key()
    tell(acme.pk, 3)
    sign(acme.pk, key, elsewhere.anchors)
    back_up, restore, verify = blocks("sh")
    token = str(tokens_of(surroundings().places))
    assert elsewhere.shell(back_up, BACKUP_URL=backup_url, TOKEN=token).returncode == 0
    tell(acme.pk, 2)
    sign(acme.pk, key, elsewhere.anchors)

    done = elsewhere.shell(restore, SUPERUSER_URL=elsewhere.url, TOKEN=str(tokens_of(elsewhere.around.places)))
    assert done.returncode == 0, done.stderr
    told = elsewhere.shell(verify)
    assert told.returncode == 1
    assert re.search(r"^acme: row \d+", told.stdout, re.MULTILINE), told.stdout
    assert "cut off" in told.stdout


def test_without_a_role_of_its_own_no_backup_is_made(elsewhere):
    """The owner's would be one without rows, or none at all: better none."""
    [statement, *_] = blocks("sh")
    url = surroundings().database.url("portal_owner")
    made = elsewhere.shell(statement, BACKUP_URL=url, TOKEN=str(tokens_of(surroundings().places)))
    assert made.returncode != 0
    assert "row-level security" in made.stderr
    assert not (elsewhere.backup / "token.tar").exists()
