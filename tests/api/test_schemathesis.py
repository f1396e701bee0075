"""Schemathesis over the whole document, all checks on, as every role and as a stranger, against the real web process.

What it may not find: an answer that the document does not describe, an accident, nonsense that is taken, sense that is
refused for anything but a rule, something that a stranger may.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lifecycle.validation import control, surveys
from lifecycle.validation.publishing.services import Wanted, add_way
from portal.demo.child import Child, wait_until
from portal.foundation.access.permissions import Role
from portal.foundation.access.services import change_roles
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests.api.conftest import token_of
from tests.journeys.live import answers, free_port
from tests.plugins.services import ROOT, surroundings
from tests.world import World, filled, invited, issued, submitted

pytestmark = pytest.mark.django_db

ROLES = ("petra", "wei", "ada", "vera", "dan", "jonas", "stranger")
A_FEW = ("ada",)
"""Of them, in every run of the tests."""

CONFIGURATION = """\
# A rule of the product may forbid what the schema of a body allows (409, 422); a header may leave nothing (406, 412);
# an address may be longer than the server takes (414).
[checks]
positive_data_acceptance.expected-statuses = [
  "2xx", "304", "401", "403", "404", "406", "409", "412", "413", "414", "422", "428", "429", "503"
]
negative_data_rejection.expected-statuses = [
  "400", "401", "403", "404", "405", "406", "409", "412", "413", "414", "415", "422", "428", "429", "503"
]
missing_required_header.expected-statuses = ["400", "401", "403", "404", "405", "406", "422", "428"]

[parameters]
"path.tenant" = "acme"
"""

THINGS = """
[[operations]]
include-path-regex = "/{collection}/"
parameters = {{ {parameters} }}
"""


@pytest.fixture(scope="module")
def address(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of a real web process that lets through as many calls as it can answer."""
    folder = tmp_path_factory.mktemp("web")
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "portal.wsgi", "--worker-class=gthread", "--workers=1", "--threads=4"]
    rates = {"API_CALLS_OF_TOKEN": "1000000", "API_CALLS_OF_TENANT": "1000000"}
    told = surroundings().environment("web") | rates | {"MAIL_URL": f"file://{folder}", "LOG_LEVEL": "ERROR"}
    listening = [*command, "--no-control-socket", f"--bind=127.0.0.1:{port}"]
    web = Child("web", listening, told, folder / "web.log", folder=ROOT)
    web.start()
    try:
        assert wait_until(lambda: answers(port) or not web.alive, 60.0)
        assert web.alive, web.last_lines(30)
        yield f"http://localhost:{port}"
    finally:
        web.stop()
    assert "Traceback" not in web.log.read_text()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "role" in metafunc.fixturenames:
        metafunc.parametrize("role", ROLES if metafunc.config.getoption("--soak") else A_FEW)


@pytest.mark.drill("API", goal="all checks, 200 examples an operation, 0 findings")
def test_schemathesis_finds_nothing(world, acme, address, drill, role, tmp_path):
    examples = drill.times(2, soak=200)
    person = None if role == "stranger" else world.people[role]
    secret = token_of(person, acme) if person else ""
    configuration = CONFIGURATION + there_is(things(world, acme))
    phases = "examples,coverage,fuzzing" if drill.soaking else "examples,fuzzing"
    found, report = run(address, secret, tmp_path, configuration, phases, examples)
    assert found == 0, report
    drill.measured(role=role, examples_an_operation=examples, findings=found)


def things(world: World, acme: Tenant) -> dict[str, dict[str, str]]:
    """By collection, what its addresses name; what is not there, the isolation matrix and the walks ask for."""
    petra = world.people["petra"]
    certificate = issued(petra, acme)
    submitted(petra, acme)
    with acting_for(acme.pk):
        line = AuditEvent.objects.filter(code="request:submit").first()
    ada = world.people["ada"]
    invitation = invited(acme, ada)
    with acting_for(acme.pk, person=petra.pk):
        domain = control.add("tested.acme.example", kind="dns", method="dns-change", by=petra.pk)
        control.begin(domain, method="dns-change", by=petra.pk)
        survey = surveys.ask("tested.acme.example", by=petra.pk)
    with acting_for(acme.pk, person=ada.pk):
        way = add_way(Wanted(title="Hook", kind="webhook", address="https://hooks.acme.example/"), by=ada.pk).way
    return {
        "certificates": {"id": str(certificate.pk)},
        "requests": {"id": str(filled(petra, acme).pk)},
        "people": {"id": str(world.people["dan"].pk)},
        "invitations": {"id": str(invitation.pk)},
        "journal": {"id": str(line.pk)},
        "domains": {"id": str(domain.pk)},
        "caa-surveys": {"id": str(survey.pk)},
        "publishing-ways": {"id": str(way.pk)},
        "policies": {"profile": "desktop-signing"},
        "profiles": {"profile": "desktop-signing"},
        "agreements": {"agreement": "subscriber", "language": "en"},
    }


def there_is(found: dict[str, dict[str, str]]) -> str:
    return "".join(
        THINGS.format(
            collection=collection,
            parameters=", ".join(f'"path.{name}" = "{value}"' for name, value in named.items()),
        )
        for collection, named in found.items()
    )


@pytest.mark.drill("API", goal="one stateful run, 0 findings")
def test_schemathesis_finds_nothing_on_its_walks(world, acme, address, drill, tmp_path):
    petra, ada = world.people["petra"], world.people["ada"]
    with acting_for(acme.pk, person=ada.pk):
        change_roles(petra.pk, [Role.SUBSCRIBER, Role.REVIEWER, Role.ADMINISTRATOR, Role.AUDITOR], by=ada.pk)
    secret = token_of(petra, acme)
    issued(petra, acme)
    found, report = run(address, secret, tmp_path, CONFIGURATION, "stateful", drill.times(10, soak=200))
    assert found == 0, report
    with acting_for(acme.pk):
        walked = AuditEvent.objects.filter(facts__has_key="through_token").count()
    assert walked, "it walked nowhere"
    drill.measured(walks=drill.times(5, soak=200), deeds_in_the_journal=walked, findings=found)


def run(address: str, secret: str, folder: Path, configuration: str, phases: str, examples: int) -> tuple[int, str]:
    """Return Schemathesis' exit code, and what it says."""
    configured = folder / "schemathesis.toml"
    configured.write_text(configuration)
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(configured), "run"]
    command += [f"{address}/api/v1/schema", "--phases", phases, "--max-examples", str(examples), "--seed", "4"]
    if secret:
        command += ["--header", f"Authorization: Bearer {secret}"]
    told = os.environ | {"SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=told, capture_output=True, text=True, check=False)
    return done.returncode, "\n".join(line[:500] for line in f"{done.stdout}\n{done.stderr}".splitlines())
