"""portalctl as a program: what it imports, how fast it starts, how it is installed, whether its page is true."""

import re
import resource
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lifecycle.certificates.models import Certificate
from portal.ctl.main import cli
from portal.ctl.outcomes import MEANINGS, Outcome
from portal.demo.manage import let_in, shut_out
from portal.foundation.access.models import User
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests.ctl import reference
from tests.ctl.terminal import PORTALCTL, Terminal
from tests.ctl.test_journeys import CONSENT, PASSPHRASE, assert_never_sent
from tests.ctl.wire import Wire
from tests.journeys.live import Portal
from tests.plugins.services import ROOT, surroundings
from tests.world import ask_for_codes

COMMANDS = dict(reference.commands())


def test_help_costs_less_than_a_third_of_a_second_of_processor() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(3):
        subprocess.run([PORTALCTL, "--help"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    assert spent / 3 <= 0.3


def test_nothing_of_the_services_is_imported() -> None:
    script = (
        "import sys, portal.ctl.main, portal.ctl.connection, portal.ctl.keys\n"
        "services = {'django', 'lifecycle', 'auth2fa', 'celery'}\n"
        "print(*sorted(name for name in sys.modules if name.split('.')[0] in services"
        " or (name.startswith('portal.') and not name.startswith('portal.ctl'))))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("called", COMMANDS)
def test_every_command_explains_itself_by_an_example_that_it_takes(called: str) -> None:
    command = COMMANDS[called]
    assert command.help
    own = [example for example in command.examples if example.startswith(called)]
    assert own
    for example in own:
        words = shlex.split(re.split(r" [|<>] ", example)[0])[len(called.split()) :]
        with pytest.MonkeyPatch.context() as patch:
            # the files of the examples need not be here
            patch.setattr("click.Path.convert", lambda _self, value, _param, _ctx: Path(str(value)))
            command.make_context(called, words, resilient_parsing=False).close()


def test_the_page_is_not_stale() -> None:
    page = reference.PAGE.read_text()
    assert reference.written(page) == page, "run: .venv/bin/python -m tests.ctl.reference"


def test_every_outcome_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Outcome)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(tmp_path: Path, shell: str) -> None:
    done = Terminal(tmp_path).run("completion", shell)
    assert "_PORTALCTL_COMPLETE" in done.out
    asked = Terminal(
        tmp_path,
        {"_PORTALCTL_COMPLETE": "bash_complete", "COMP_WORDS": "portalctl rek", "COMP_CWORD": "1"},
    ).run()
    assert asked.out == "plain,rekey\n"


def test_the_wheel_holds_the_program_and_runs_without_the_services(tmp_path: Path) -> None:
    uv = ROOT / ".venv" / "tools" / "bin" / "uv"
    [line] = [line for line in _shell("Installing it elsewhere") if "uv build" in line]
    wish = shlex.split(line)[1:-1]
    build = [uv, *wish, tmp_path, "--offline", "--no-build-isolation", "--python", sys.executable, "-q"]
    subprocess.run(build, check=True, cwd=ROOT, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    assert wheel.name in reference.PAGE.read_text()
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "portal",
        "lifecycle",
        "auth2fa",
        "certificate_portal-0.1.0.dist-info",
    }
    assert "portal/ctl/commands/making.py" in names
    assert not [name for name in names if name.endswith(".pyc")]
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    install = [uv, "pip", "install", "-q", "--offline", "--no-deps", "--python", venv / "bin" / "python", wheel]
    subprocess.run(install, check=True, capture_output=True)
    # of what the page installs beside it, `--version` needs click alone
    click = Path(sys.modules["click"].__file__ or "").parent
    (venv / "lib" / "python3.11" / "site-packages" / "click").symlink_to(click)
    done = subprocess.run(
        [venv / "bin" / "portalctl", "--version"], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout == "portalctl 0.1.0\n"


def _shell(heading: str) -> list[str]:
    """The commands of the section under *heading*."""
    section = reference.PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [line for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL) for line in block.splitlines()]


@pytest.fixture
def running() -> Iterator[dict[str, str]]:
    """Let `python -m portal.demo manage` find this test's database as that of a demo that runs."""
    let_in(surroundings())
    yield {"VAR": str(surroundings().places.var)}
    shut_out(surroundings())


@pytest.mark.usefixtures("name_server")
def test_a_new_user_follows_the_page_and_has_a_rekeyed_certificate(
    portal: Portal,
    wire: Wire,
    tmp_path: Path,
    running: dict[str, str],
    server: Certificate,
    petra: User,
    acme: Tenant,
) -> None:
    """The five commands of the page, as they stand there; only the demo's address is another one."""
    ask_for_codes(acme)
    commands = _shell("A rekeyed certificate in five commands")
    assert len(commands) == 5
    make, login, look, rekey, download = [
        line.replace("http://localhost:8000", wire.origin).replace(".venv/bin/", f"{PORTALCTL.parent}/")
        for line in commands
    ]
    made = subprocess.run(
        ["/bin/sh", "-c", make],
        env={"PATH": "/usr/bin:/bin", **running},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    [secret] = re.findall(r"cpt_[\w-]+", made.stdout)
    terminal = Terminal(tmp_path)
    signed_in = terminal.talk(login, [("Token", secret)])
    assert (signed_in.code, "Petra Nováková" in signed_in.out) == (0, True), signed_in.out
    assert "plain.demo.test" in terminal.talk(look, []).out
    answers = [("Passphrase", PASSPHRASE), ("again", PASSPHRASE), (CONSENT, "y"), ("Code sent to", portal.code)]
    rekeyed = terminal.talk(rekey, answers)
    assert rekeyed.code == 0, rekeyed.out
    done = terminal.talk(download, [])
    assert done.code == 0, done.out
    with acting_for(acme.pk):
        [new] = Certificate.objects.filter(predecessor=server)
    (tmp_path / "secret").write_text(PASSPHRASE)
    both = "x509 -in plain.demo.test.pem -pubkey -noout", "pkey -in plain.demo.test.key -passin file:secret -pubout"
    keys = "".join(terminal.talk(f"openssl {each}", []).out for each in both)
    [one, other] = re.findall(r"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", keys, re.DOTALL)
    assert one == other
    assert (
        new.serial
        in subprocess.run(
            ["openssl", "x509", "-in", tmp_path / "plain.demo.test.pem", "-noout", "-serial"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.lower()
    )
    assert_never_sent(wire, tmp_path / "plain.demo.test.key", PASSPHRASE)


def test_manage_needs_a_demo_that_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "portal.demo", "--var", tmp_path, "manage", "check"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"No demo runs on {tmp_path}" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_program_has_no_command_that_the_page_does_not_tell() -> None:
    assert set(cli.commands) == {called.split()[1] for called in COMMANDS}
