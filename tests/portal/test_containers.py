"""The image and the compose file, as the real tools read them, against the tables of the operations page.

There is no container engine here: what a container would do is tried on this machine wherever it can be.
"""

import ast
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path, PurePosixPath

import psycopg2
import pytest
import redis

from lifecycle.validation.caa import Reason
from lifecycle.validation.perspectives.client import NotAsked, RemotePlace
from lifecycle.validation.perspectives.identity import Identity
from lifecycle.validation.perspectives.standing import faults_of
from lifecycle.validation.questions import Asked, Question
from portal import config
from portal.demo.child import Child, await_health, bare_environment, wait_until
from portal.demo.embedded import _redis_binary, free_port
from portal.demo.places import Places
from portal.demo.postgresql import OWNER, SERVICE_ROLES, SUPERUSER, PostgreSQL
from portal.demo.supervisor import worker_command
from portal.demo.unbound import RULES
from portal.foundation.outbox.registry import QUEUES
from portal.perspectives import Perspectives
from tests.portal.composed import ROOT, TOLD, contexts, docker_compose, networks_of, secrets_of, services, whole

DOCKERFILES = [ROOT / "Dockerfile", ROOT / "deploy" / "unbound" / "Dockerfile"]
OURS = [name for name, row in contexts().items() if row["PORTAL_SERVICE"]]
PERSPECTIVES = [
    each["name"] for each in json.loads((ROOT / "deploy" / "perspectives.json").read_text())["perspectives"]
]
YOURS = {
    # what deploy/make-secrets leaves to the operator
    "mail_url": "smtp+tls://portal:pa55@mail.example:587",
    "token_pin": "123456",
    "tls_certificate": "a chain",
    "tls_key": "a key",
}

every_service = pytest.mark.parametrize("name", contexts())
every_one_of_ours = pytest.mark.parametrize("name", OURS)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory) -> Path:
    """Return a folder of secrets as an operator makes it."""
    folder = tmp_path_factory.mktemp("etc") / "secrets"
    subprocess.run([ROOT / "deploy" / "make-secrets", folder], check=True, capture_output=True)
    for name, value in YOURS.items():
        (folder / name).write_text(f"{value}\n")
    return folder


def told_to(name: str, secrets: Path) -> dict[str, str]:
    """Return the environment of a service; its secrets lie in a folder that has them and no others."""
    given = services()[name]["environment"]
    return {key: str(value).replace("/run/secrets", str(secrets)) for key, value in given.items()}


# --- what the tools say ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_hadolint_finds_nothing(dockerfile):
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, "--no-color", dockerfile], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_compose_file_is_one():
    done = docker_compose("config", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", [name for name in TOLD if name != "JOURNAL_KEY_ID"])
def test_what_is_missing_is_named(name):
    done = docker_compose("config", "-q", told={key: value for key, value in TOLD.items() if key != name})
    assert done.returncode != 0
    assert name in done.stderr


# --- who knows and reaches what -------------------------------------------------------------------------------------


def test_there_are_the_services_of_the_table_and_no_others():
    assert set(services()) == set(contexts())


@every_service
def test_a_service_has_the_secrets_and_the_networks_that_the_table_gives_it(name):
    assert secrets_of(name) == contexts()[name]["secrets"]
    assert networks_of(name) == contexts()[name]["networks"]


@every_service
def test_nothing_secret_stands_in_an_environment_or_a_command(name):
    for value in (services()[name].get("environment") or {}).values():
        assert not re.search(r"://[^/]*:[^/]*@", str(value))
    assert not {key for key in services()[name].get("environment") or {} if "PASSWORD" in key} - {
        "POSTGRES_PASSWORD_FILE"
    }


def test_the_token_is_the_signing_workers_and_the_second_factor_key_is_webs():
    holders = {secret: {name for name in services() if secret in secrets_of(name)} for secret in whole()["secrets"]}
    assert holders["token_pin"] == {"worker-signing", "tool"}
    assert holders["factor_key"] == {"web"}
    assert holders["publishing_key"] == {"worker-publishing"}
    assert holders["session_key"] == {"web", "worker-messages", "tool"}
    assert holders["database_url_owner"] == {"migrate", "tool", "postgres"}
    assert holders["database_superuser"] == {"postgres"}
    assert holders["tls_key"] == {"nginx"}
    assert holders["mail_url"] == {"web", "worker-messages"}
    assert all(holders.values()), "a secret that nobody has"
    for secret, who in holders.items():
        if secret.startswith("spare_key_"):
            assert len(who) == 1


def test_only_those_who_need_it_have_a_way_out():
    closed = {name for name, network in whole()["networks"].items() if (network or {}).get("internal")}
    assert closed == {"data", "resolving", "perspectives", *(f"resolving-{name}" for name in PERSPECTIVES)}
    outposts = {f"{kind}-{name}" for kind in ("perspective", "unbound") for name in PERSPECTIVES}
    assert {name for name in services() if networks_of(name) - closed} == {
        "web", "worker-messages", "worker-validation", "worker-publishing", "nginx", "unbound", *outposts,
    }  # fmt: skip
    assert networks_of("worker-signing") == {"data"}
    assert networks_of("nginx").isdisjoint(networks_of("web")), "the socket between them is the only way"
    for name in services():
        if name not in {"unbound", "worker-validation", "worker-publishing"}:
            assert "resolving" not in networks_of(name)
        resolvers = {network for network in networks_of(name) if network.startswith("resolving")}
        assert len(resolvers) <= 1


def test_only_nginx_publishes_ports():
    assert {name for name, service in services().items() if service.get("ports")} == {"nginx"}
    published = {(str(port["published"]), port["target"]) for port in services()["nginx"]["ports"]}
    assert published == {("80", 8080), ("443", 8443)}


@every_service
def test_nobody_is_root_keeps_a_capability_or_writes_where_it_need_not(name):
    service = services()[name]
    uid, gid = (int(number) for number in service["user"].split(":"))
    assert uid
    assert gid
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"cap_add", "privileged", "devices", "network_mode", "pid", "ipc", "userns_mode"} & set(service)
    assert service["restart"] == ("no" if name in {"migrate", "tool"} else "unless-stopped")
    assert {"mem_limit", "cpus", "pids_limit", "logging"} <= set(service)
    for volume in service.get("volumes", []):
        source, target, *mode = volume.split(":")
        assert "docker.sock" not in volume
        writable = mode != ["ro"] and source.startswith(("/", "."))
        assert not writable or (name, target) == ("worker-signing", "/var/lib/portal/anchors")
        if source.startswith((str(ROOT), "./")):
            assert (ROOT / source.removeprefix(str(ROOT)).lstrip("./")).exists(), source


@every_service
def test_images_are_pinned_to_a_release(name):
    image = services()[name]["image"]
    tag = image.partition(":")[2]
    assert re.search(r"\d", tag), image
    assert "latest" not in tag


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_image_ends_as_nobody_special(dockerfile):
    lines = dockerfile.read_text().splitlines()
    [base] = [line.split("=", 1)[1] for line in lines if line.startswith("ARG")]
    assert re.fullmatch(r"[a-z]+:[\w.-]+", base)
    last = max(number for number, line in enumerate(lines) if line.startswith("FROM"))
    [user] = [line.split()[1] for line in lines[last:] if line.startswith("USER")]
    uid, _, gid = user.partition(":")
    assert int(uid) > 1000
    assert int(gid) > 1000
    theirs = {service["user"] for service in services().values() if service.get("build") and dockerfile.parent != ROOT}
    assert user in (theirs or {service["user"] for service in services().values()})
    assert not [line for line in lines if line.startswith(("ADD", "VOLUME", "EXPOSE"))]


# --- what each is told, and runs ------------------------------------------------------------------------------------


@every_one_of_ours
def test_a_service_can_start_with_what_it_is_told(name, secrets, tmp_path):
    own = tmp_path / "secrets"
    own.mkdir()
    for secret in secrets_of(name):
        shutil.copy(secrets / secret, own)
    read = config.read(told_to(name, own))

    [service] = contexts()[name]["PORTAL_SERVICE"]
    [role] = contexts()[name]["database role"]
    assert read.service == service
    as_owner = service in {"migrate", "tool"}
    assert (read.database_owner.user if as_owner else read.database.user) == role
    assert (read.database_owner is not None) == as_owner
    assert read.holds_token == (service in {"signing", "tool"})
    assert bool(read.dns_resolvers) == (service in {"validation", "publishing"})
    assert bool(read.publishing_key) == (service == "publishing")
    assert [each.name for each in read.perspectives.remote] == (PERSPECTIVES if service == "validation" else [])
    assert read.trusted_proxies.trust("") == (service == "web")
    assert read.demo is False
    assert (read.mail.host == "mail.example") == (service in {"web", "messages"})


@every_one_of_ours
def test_a_service_is_told_only_what_there_is_and_has_no_secret_in_vain(name):
    told = services()[name]["environment"]
    known = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE))
    assert set(told) <= known
    named = {str(value).removeprefix("/run/secrets/") for value in told.values() if "/run/secrets/" in str(value)}
    if "perspectives" in named:
        rows = json.loads((ROOT / "deploy" / "perspectives.json").read_text())["perspectives"]
        named |= {row["certificate"] for row in rows}
    assert named == secrets_of(name)


def test_links_that_one_writes_the_other_can_read(secrets):
    keys = {name: config.read(told_to(name, secrets)).secret_key for name in OURS}
    assert keys["web"] == keys["worker-messages"] == keys["tool"]
    others = [key for name, key in keys.items() if name not in {"web", "worker-messages", "tool"}]
    assert len({keys["web"], *others}) == len(others) + 1
    factors = [config.read(told_to(name, secrets)).factor_key for name in OURS]
    assert len(set(factors)) == len(factors)


@pytest.mark.parametrize("queue", QUEUES)
def test_workers_are_started_as_the_demo_starts_them(queue):
    assert services()[f"worker-{queue}"]["command"][1:] == worker_command(queue, f"{queue}@%h")[1:]


def test_grants_are_given_to_the_roles_that_there_are():
    command = " ".join(services()["migrate"]["command"][2:])
    assert set(re.findall(r"(\w+)=(portal_\w+)", command)) == set(SERVICE_ROLES.items())
    assert command.index("migrate --no-input") < command.index("&&") < command.index("grant_roles")


# --- what the scripts do --------------------------------------------------------------------------------------------


def test_every_secret_is_made_by_chance_or_asked_of_the_operator(secrets):
    assert {path.name for path in secrets.iterdir()} == set(whole()["secrets"])
    operations = (ROOT / "docs" / "operations.md").read_text()
    section = operations.split("\n## With containers\n", 1)[1].split("\n## ", 1)[0]
    assert all(f"`{name}`" in section for name in YOURS)


def test_a_second_run_makes_nothing_anew(secrets):
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    missing = secrets / "spare_key_relay"
    missing.unlink()
    done = subprocess.run([ROOT / "deploy" / "make-secrets", secrets], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"{missing} is new"]
    after = {path.name: path.read_text() for path in secrets.iterdir()}
    assert after.pop("spare_key_relay") != before.pop("spare_key_relay")
    assert after == before


def test_secrets_are_chance_and_closed_to_people(secrets):
    made = {path.name: path for path in secrets.iterdir() if path.name not in YOURS}
    told = {name for name in made if name.startswith("perspective")}
    made = {name: path for name, path in made.items() if name not in told}
    chances = [re.search(r"[0-9a-f]{64}", path.read_text())[0] for path in made.values()]
    assert len(set(chances)) == len(made)
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.values()} == {0o444}


# --- perspectives ---------------------------------------------------------------------------------------------------


def test_the_perspectives_of_the_example_will_do(secrets):
    told = Perspectives.from_file(str(secrets / "perspectives"))
    assert faults_of(told, datetime(2026, 12, 15, tzinfo=UTC)) == []


def test_a_perspective_has_its_own_key_and_nobody_elses(secrets):
    keys = {name: Identity.at(secrets / f"perspective_{name.replace('-', '_')}") for name in PERSPECTIVES}
    told = {each.name: each for each in Perspectives.from_file(str(secrets / "perspectives")).remote}
    for name, identity in keys.items():
        assert identity.name == name
        assert identity.certificate == told[name].certificate
        given = {each["target"]: each["source"] for each in services()[f"perspective-{name}"]["secrets"]}
        assert given == {
            "identity.pem": f"perspective_{name.replace('-', '_')}",
            "portal.pem": "perspective_asker_certificate",
        }
        assert name in told[name].host
    assert len({identity.certificate for identity in keys.values()}) == len(PERSPECTIVES)
    holders = {name for name in services() if "perspective_asker" in secrets_of(name)}
    assert holders == {"worker-validation"}


@pytest.mark.parametrize("name", PERSPECTIVES)
def test_a_perspective_reaches_no_database_and_no_other_one(name):
    assert networks_of(f"perspective-{name}") == {"perspectives", "fetching", f"resolving-{name}"}
    resolver = services()[f"unbound-{name}"]
    [address] = [way["ipv4_address"] for way in resolver["networks"].values() if way]
    assert f"--resolvers={address}:5353" in services()[f"perspective-{name}"]["command"]
    assert networks_of(f"unbound-{name}") == {"outside", f"resolving-{name}"}
    [subnet] = whole()["networks"][f"resolving-{name}"]["ipam"]["config"]
    assert ip_address(address) in ip_network(subnet["subnet"])
    assert not services()[f"perspective-{name}"].get("environment")


def test_a_perspective_is_started_as_it_is_here(tmp_path, secrets):
    """The command of the file, with what has to be another place on this machine."""
    for target, source in (("identity.pem", "perspective_ashburn"), ("portal.pem", "perspective_asker_certificate")):
        shutil.copy(secrets / source, tmp_path / target)
    port = free_port()
    told = {"--listen": f"127.0.0.1:{port}", "--resolvers": "127.0.0.1:9", "--identity": str(tmp_path)}
    words = services()["perspective-ashburn"]["command"]
    command = [f"{word.split('=')[0]}={told[word.split('=')[0]]}" if "=" in word else word for word in words]
    child = Child("perspective", [sys.executable, *command[1:]], bare_environment(), tmp_path / "log", folder=ROOT)
    child.start()
    try:
        listed = next(each for each in Perspectives.from_file(str(secrets / "perspectives")).remote)
        place = RemotePlace(replace(listed, host="127.0.0.1", port=port), Identity.at(secrets / "perspective_asker"))
        assert wait_until(lambda: answers(place), 20.0), child.last_lines()
    finally:
        child.stop()


def answers(place):
    try:
        [seen] = place.observe([Question(Asked.CAA, "www.demo.test")], patience=3.0)
    except NotAsked:
        return False
    return seen.reason == Reason.UNREACHABLE


@pytest.fixture
def empty_cluster(tmp_path):
    """Start a PostgreSQL that has no role but its superuser, as an image's first start makes it."""
    cluster = PostgreSQL(Places(tmp_path / "cluster"), durable=False)
    cluster._make_cluster(cluster.home / "data")
    cluster.child.start()
    await_health(cluster.child, cluster.healthy)
    yield cluster
    cluster.stop()
    shutil.rmtree(cluster.home, ignore_errors=True)


def test_the_roles_and_the_database_are_made_as_the_page_says(empty_cluster, secrets):
    places = empty_cluster._places
    around = {
        "PATH": f"{empty_cluster._binaries}:{os.environ['PATH']}",
        "SECRETS": str(secrets),
        "POSTGRES_USER": SUPERUSER,
        "PGHOST": str(places.sockets()),
        "PGPORT": "5432",
        "PGPASSWORD": places.secret(f"postgresql-{SUPERUSER}").read_text(),
    }
    script = ROOT / "deploy" / "postgresql" / "make-roles.sh"
    done = subprocess.run([script], env=around, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

    with closing(psycopg2.connect(empty_cluster.url(SUPERUSER, "portal"))) as opened, opened.cursor() as cursor:
        cursor.execute(
            "SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT (rolsuper OR rolbypassrls OR rolcreatedb"
            " OR rolcreaterole OR rolreplication)"
        )
        assert {name for (name,) in cursor.fetchall()} == {OWNER, *SERVICE_ROLES.values()}
        cursor.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'portal'")
        assert cursor.fetchone() == (OWNER,)
        cursor.execute("CREATE ROLE stranger LOGIN PASSWORD 'x'")
        opened.commit()
    for service in ("owner", *SERVICE_ROLES):
        address = (secrets / f"database_url_{service}").read_text().strip()
        given = config.Database.from_url(address)
        way = {"host": str(places.sockets()), "port": "5432", "user": given.user, "password": given.password}
        with closing(psycopg2.connect(dbname=given.name, **way)) as opened:
            assert opened.info.user == (OWNER if service == "owner" else SERVICE_ROLES[service])
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(dbname="portal", host=str(places.sockets()), port="5432", user="stranger", password="x")


def redis_of_the_image(secrets, folder, more):
    """Return what the container runs, with the wheel's Redis instead of the image's."""
    shell, option, script = services()["redis"]["command"]
    places = {"/tmp": str(folder), "/run/secrets": str(secrets), "$$": "$"}
    script = re.sub(r"/tmp|/run/secrets|\$\$", lambda found: places[found[0]], script)
    programs = folder / "bin"
    programs.mkdir()
    (programs / "redis-server").symlink_to(_redis_binary())
    around = {**bare_environment(), "PATH": f"{programs}:{os.environ['PATH']}"}
    return Child("redis", [shell, option, f"{script.strip()} {more}"], around, folder / "log")


@pytest.mark.parametrize("address", [None, "", "redis://redis:6379/0"])
def test_redis_does_not_start_without_a_password(tmp_path, address):
    if address is not None:
        (tmp_path / "redis_url").write_text(address)
    child = redis_of_the_image(tmp_path, tmp_path, "--port 0")
    child.start()
    try:
        assert wait_until(lambda: not child.alive, 10.0)
        assert not child.wait(0)
    finally:
        child.stop()


def test_redis_asks_for_the_password_that_everybody_is_given(secrets, tmp_path):
    socket = tmp_path / "r.sock"
    child = redis_of_the_image(secrets, tmp_path, f"--port 0 --unixsocket {socket}")
    child.start()
    try:
        assert wait_until(socket.exists, 10.0), child.last_lines()
        with closing(redis.Redis(unix_socket_path=str(socket))) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        password = re.search(r":([0-9a-f]+)@", (secrets / "redis_url").read_text())[1]
        with closing(redis.Redis(unix_socket_path=str(socket), password=password)) as client:
            assert client.ping()
            assert client.config_get("appendonly") == {"appendonly": "no"}
        assert password not in Path(f"/proc/{child.pid}/cmdline").read_text()
    finally:
        child.stop()


def test_the_resolver_is_told_what_unbound_understands(tmp_path):
    anchor = tmp_path / "root.key"
    # the root's key of 2017, as IANA publishes it; the image has Debian's file
    anchor.write_text(". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n")
    told = (ROOT / "deploy" / "unbound" / "unbound.conf").read_text()
    here = told.replace("/usr/share/dns/root.key", str(anchor)).replace("/etc/unbound/rules.conf", str(RULES))
    (tmp_path / "unbound.conf").write_text(here)
    done = subprocess.run(
        ["/usr/sbin/unbound-checkconf", tmp_path / "unbound.conf"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    copied = (ROOT / "deploy" / "unbound" / "Dockerfile").read_text()
    assert "COPY unbound.conf rules.conf /etc/unbound/" in copied
    plain = {line.split("#")[0].strip() for line in (told + RULES.read_text()).splitlines()}
    assert not [line for line in plain if line.startswith(("forward-", "stub-", "domain-insecure", "val-override"))]
    assert {
        'module-config: "validator iterator"', "qname-minimisation: yes", "ignore-cd-flag: yes", "serve-expired: no",
        "harden-dnssec-stripped: yes", "harden-glue: yes", "val-permissive-mode: no",
        "access-control: 0.0.0.0/0 refuse", "ede: yes",
    } <= plain  # fmt: skip
    address = services()["unbound"]["networks"]["resolving"]["ipv4_address"]
    [port] = re.findall(r"interface: 0\.0\.0\.0@(\d+)", told)
    assert services()["worker-validation"]["environment"]["DNS_RESOLVERS"] == f"{address}:{port}"
    [allowed] = [line.split()[1] for line in plain if re.fullmatch(r"access-control: 172\S+ allow", line)]
    for name in ("resolving", *(f"resolving-{name}" for name in PERSPECTIVES)):
        [subnet] = whole()["networks"][name]["ipam"]["config"]
        assert ip_network(subnet["subnet"]).subnet_of(ip_network(allowed))


# --- what is in the image -------------------------------------------------------------------------------------------


def _ignored(path: PurePosixPath, rules: list[str]) -> bool:
    """Tell what `.dockerignore` says of a path: the last rule that fits it, or a folder above it, counts."""
    verdict = False
    for rule in rules:
        pattern = rule.removeprefix("!")
        candidates = [path, *path.parents]
        if pattern.startswith("**/"):
            fits = any(each.name and each.match(pattern[3:]) for each in candidates)
        else:
            fits = any(
                str(each) != "."
                and each.match(f"/{pattern}" if pattern == "*" else pattern)
                and len(each.parts) == len(PurePosixPath(pattern).parts)
                for each in candidates
            )
            fits = fits or (pattern == "*")
        if fits:
            verdict = not rule.startswith("!")
    return verdict


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    """Lay out what the last stage copies out of the context, and nothing else."""
    target = tmp_path_factory.mktemp("image")
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    stage = (ROOT / "Dockerfile").read_text().split(" AS portal\n", 1)[1]
    copies = [line.split()[1:] for line in stage.splitlines() if line.startswith("COPY") and "--from" not in line]
    assert copies
    for *sources, _where in copies:
        for source in sources:
            root = ROOT / source
            for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
                relative = path.relative_to(ROOT)
                if path.is_file() and not _ignored(PurePosixPath(relative), rules):
                    (target / relative.parent).mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, target / relative)
    (target / "static").mkdir(exist_ok=True)
    shutil.copytree(ROOT / "static" / "dist", target / "static" / "dist")  # COPY --from=front-end
    return target


LOADED = """
import sys
import portal.wsgi
import portal.urls
import portal.celery
print(sorted(name for name in sys.modules if name.split(".")[0] == "pkcs11" or name.startswith("portal.demo")))
print(portal.urls.__file__)
"""


def test_what_the_image_holds_is_enough_and_has_no_demo_and_no_tests(image, secrets):
    there = {str(path.relative_to(image)) for path in image.rglob("*")}
    assert {
        "manage.py",
        "deploy/healthy",
        "portal/wsgi.py",
        "templates/layout.html",
        "static/dist/manifest.json",
    } <= there
    outside = ("portal/demo", "tests", "docs", "var", ".git", "requirements", "deploy/make-secrets")
    assert not [path for path in there if path.startswith(outside)]
    assert os.access(image / "deploy" / "healthy", os.X_OK)

    told = {**bare_environment(), **told_to("web", secrets), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    told |= {"PYTHONPATH": str(image), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LOADED], env=told, cwd=image, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded, found = done.stdout.splitlines()
    assert found == str(image / "portal" / "urls.py")
    assert ast.literal_eval(loaded) == [], "the web service loads PKCS#11, or the demo"

    checked = subprocess.run(
        [sys.executable, "manage.py", "check"], env=told, cwd=image, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_what_the_demo_brings_along_is_not_in_the_image():
    lock = (ROOT / "requirements" / "base.txt").read_text()
    [taken] = re.findall(r"uv pip uninstall (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    extra = (ROOT / "pyproject.toml").read_text().split("\ndemo = [", 1)[1].split("]", 1)[0]
    assert set(taken.split()) == {re.match(r"[\w-]+", name)[0] for name in re.findall(r'"(.+)"', extra)}
    assert all(re.search(rf"^{name}==", lock, re.MULTILINE) for name in taken.split())
