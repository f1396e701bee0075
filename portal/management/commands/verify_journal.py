from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.foundation.audit.verify import Verdict, Witness, verify
from portal.foundation.tenancy.models import Tenant
from portal.notary.anchors import Unreadable, file_of, witnesses_in


class Command(BaseCommand):
    help = (
        "Verify the journal of one tenant, or of all: every row as written, every row sealed, no gap, no end cut off,"
        " every checkpoint signed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant", nargs="*", help="slugs; all tenants and the platform where none is given")
        parser.add_argument("--anchors", type=Path, help="the folder of JOURNAL_ANCHORS, to be compared with")
        parser.add_argument(
            "--key", action="append", help="fingerprint of a journal key; checkpoints by any other are not accepted"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        tenants = Tenant.objects.order_by("slug")
        if options["tenant"]:
            tenants = tenants.filter(slug__in=options["tenant"])
            unknown = set(options["tenant"]) - {tenant.slug for tenant in tenants}
            if unknown:
                raise CommandError(f"There is no tenant {', '.join(sorted(unknown))}.")
        keys = [key.replace(":", "").lower() for key in options["key"]] if options["key"] else None
        bad = 0
        for tenant in tenants:
            kept = _kept(options["anchors"], tenant)
            verdict = verify(tenant.pk, witnesses=kept, only_keys=keys)
            self.stdout.write(f"{tenant.slug}: {verdict.finding or _praise(verdict, kept)}")
            bad += verdict.finding is not None
        if bad:
            raise CommandError(f"The journal of {bad} tenant(s) is not as it was written; the first bad row is above.")


def _kept(folder: Path | None, tenant: Tenant) -> list[Witness]:
    if folder is None:
        return []
    if not folder.is_dir():
        raise CommandError(f"There is no folder {folder}.")
    path = file_of(folder, tenant.pk)
    try:
        return list(witnesses_in(path)) if path.exists() else []
    except Unreadable as trouble:
        raise CommandError(f"{tenant.slug}: {trouble}.") from trouble


def _praise(verdict: Verdict, kept: list[Witness]) -> str:
    signed = f", signed up to row {verdict.signed_to}" if verdict.signed_to else ", not signed"
    anchored = f", {len(kept)} anchors agree" if kept else ""
    return f"{verdict.rows} rows, all as written{signed}{anchored}"
