from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from psycopg2 import sql

from portal.grants import GRANTS


class Command(BaseCommand):
    help = "Grant every service's database role what portal/grants.py says, and nothing else.  Runs as the owner."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("roles", nargs="+", metavar="service=role", help="all=role where one role serves them all")

    def handle(self, *_args: Any, **options: Any) -> None:
        wanted: dict[str, dict[str, set[str]]] = {}
        services = {service for granted in GRANTS.values() for service in granted}
        for pair in options["roles"]:
            service, _, role = pair.partition("=")
            if not role or (service != "all" and service not in services):
                raise CommandError(f"{pair!r} is not service=role; services are {', '.join(sorted(services))}, or all")
            for table, granted in GRANTS.items():
                for name in services if service == "all" else {service}:
                    wanted.setdefault(role, {}).setdefault(table, set()).update(granted.get(name, ()))
        with transaction.atomic(), connection.cursor() as cursor:
            for role, tables in wanted.items():
                for statement in _statements(role, tables):
                    cursor.execute(statement)
        self.stdout.write(f"granted: {', '.join(sorted(wanted))}")


def _statements(role: str, tables: dict[str, set[str]]) -> list[sql.Composable]:
    who = sql.Identifier(role)
    statements: list[sql.Composable] = [
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(who),
        sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(who),
    ]
    for table, privileges in sorted(tables.items()):
        if privileges:
            words = sql.SQL(", ").join(sql.SQL(privilege) for privilege in sorted(privileges))
            statements.append(sql.SQL("GRANT {} ON {} TO {}").format(words, sql.Identifier(table), who))
    return statements
