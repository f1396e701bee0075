"""The documentation speaks of what is there: its links, commands, targets, variables, files and names exist."""

import os
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from portal import config
from portal.demo.people import PEOPLE
from portal.demo.postgresql import SERVICE_ROLES
from portal.demo.supervisor import worker_command
from tests.tutorial import PICTURES, STEPS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "deploy" / "README.md", *DOCS.rglob("*.md")])
DECISIONS = sorted((DOCS / "adr").glob("[0-9]*.md"))

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PICTURE = re.compile(r"!\[([^\]]*)\]\((?:docs/)?images/([\w.-]+)\)")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def code_of(page):
    """Return every piece of code on a page: the fenced blocks whole, and each inline one."""
    text = page.read_text()
    return [block for _language, block in _FENCE.findall(text)] + _INLINE.findall(_FENCE.sub("", text))


def commands_of(page):
    """Return the commands in a page's shell blocks, split into words; a quoted argument may go over several lines."""
    found = []
    for language, block in _FENCE.findall(page.read_text()):
        waiting = ""
        for line in block.splitlines() if language == "sh" else []:
            waiting += f"{line}\n"
            try:
                words = shlex.split(waiting, comments=True)
            except ValueError:
                continue  # the quotation goes on
            found.append(words)
            waiting = ""
        assert not waiting, f"{page.name}: a quotation is not closed: {waiting}"
    return [words for words in found if words]


def anchors_of(page):
    """Return what GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def first_cells(page, heading, column=0):
    """Return the code in one column of the table under *heading*."""
    section = page.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("|")]
    return [name for row in rows[2:] for name in _INLINE.findall(row[column])]


def resolved(name):
    """Return what a dotted name stands for; raise where there is no such thing."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file():
            found = import_module(".".join(parts[:length]))
            for part in parts[length:]:
                found = getattr(found, part)
            return found
    raise LookupError(name)


@every_page
def test_every_relative_link_leads_somewhere(page):
    for link in _LINK.findall(_FENCE.sub("", page.read_text())):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors_of(target), link


@every_page
def test_every_command_of_manage_py_is_there_and_takes_what_it_is_given(page):
    for code in code_of(page):
        for name in re.findall(r"manage\.py ([a-z_]+)", code):
            assert name in get_commands(), code
    for words in commands_of(page):
        if words[1:2] == ["manage.py"]:
            name, *arguments = words[2:]
            app = get_commands()[name]
            command = load_command_class(app, name) if isinstance(app, str) else app
            command.create_parser("manage.py", name).parse_args(arguments)


@every_page
def test_every_target_of_make_is_there(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for code in code_of(page):
        assert set(re.findall(r"^make ([a-z-]+)", code, re.MULTILINE)) <= targets, code


@every_page
def test_every_environment_variable_is_read_by_something(page):
    readers = [
        ROOT / "Makefile",
        ROOT / "docker-compose.yml",
        ROOT / "portal" / "config.py",
        *sorted((ROOT / "portal" / "demo").glob("*.py")),
        *sorted((ROOT / "portal" / "ctl").rglob("*.py")),
    ]
    known = set(re.findall(r"\w+", " ".join(reader.read_text() for reader in readers)))
    for code in code_of(page):
        if name := re.fullmatch(r"([A-Z][A-Z0-9]*_[A-Z0-9_]+)(=.*)?", code):
            assert name[1] in known, code


@every_page
def test_every_file_is_there(page):
    for code in code_of(page):
        if re.fullmatch(r"(auth2fa|deploy|docs|lifecycle|portal|requirements|static|templates|tests)/[\w./-]*", code):
            assert (ROOT / code).exists(), code


def test_the_configuration_is_described_whole():
    asked = set()

    class Watched(dict):
        def get(self, name, default=None):
            asked.add(name)
            return super().get(name, default)

    with pytest.raises(config.Misconfigured):
        config.read(Watched(PORTAL_SERVICE="signing", PKCS11_MODULE="some.so"))
    assert sorted(first_cells(DOCS / "operations.md", "Configuration")) == sorted(asked)


def test_the_table_of_services_names_those_that_there_are():
    assert sorted(first_cells(DOCS / "operations.md", "Services", column=1)) == sorted(config.SERVICES)


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "operations.md"], ids=["README", "operations"])
def test_the_roles_that_are_granted_are_those_of_the_services(page):
    granted = [set(words[3:]) for words in commands_of(page) if words[2:3] == ["grant_roles"]]
    assert granted == [{f"{service}={role}" for service, role in SERVICE_ROLES.items()}]


@pytest.mark.parametrize("queue", ["signing", "messages"])
def test_workers_are_started_as_the_demo_starts_them(queue):
    commands = [words[1:] for words in commands_of(DOCS / "operations.md")]
    assert worker_command(queue, f"{queue}@%h")[1:] in commands


def test_every_name_of_the_glossary_stands_for_something():
    names = [
        name
        for row in (DOCS / "glossary.md").read_text().splitlines()
        if row.startswith("|")
        for name in _INLINE.findall(row.split("|")[3])
    ]
    assert len(names) > 50
    for name in names:
        assert resolved(name) is not None


def test_a_name_that_is_not_there_is_noticed():
    with pytest.raises(AttributeError):
        resolved("lifecycle.certificates.models.Certificate.colour")
    with pytest.raises(LookupError):
        resolved("nowhere.at.all")


def test_the_tutorial_shows_every_picture_that_is_taken_in_the_order_of_the_walk():
    shown = _PICTURE.findall((DOCS / "tutorial.md").read_text())
    assert [file for _words, file in shown] == [f"{step}.png" for step in STEPS]
    assert sorted(file.name for file in PICTURES.iterdir()) == sorted(f"{step}.png" for step in STEPS)


@every_page
def test_every_picture_says_what_it_shows(page):
    pictures = page.read_text().count("![")
    words = [words for words, _file in _PICTURE.findall(page.read_text())]
    assert len(words) == pictures
    assert len(set(words)) == pictures
    assert all(len(each.split()) > 3 for each in words)


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "tutorial.md"], ids=["README", "tutorial"])
def test_who_signs_in_lives_in_the_demo(page):
    passwords = {somebody.email: somebody.password for somebody in PEOPLE}
    named = re.findall(r"`([\w.]+@[\w.]+)`(?: with the password |[ |]+)`([\w-]+)`", page.read_text())
    assert named
    for email, password in named:
        assert passwords[email] == password


def test_every_script_of_deploy_is_described():
    scripts = {path.name for path in (ROOT / "deploy").iterdir() if os.access(path, os.X_OK) and path.is_file()}
    rows = re.findall(r"^\| `([\w-]+)", (ROOT / "deploy" / "README.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(scripts)


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_says_why_what_and_what_follows_and_stands_in_the_list(page):
    number, text = page.stem[:4], page.read_text()
    title = re.match(rf"# {number} (.+)\n", text)
    assert title
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert f"| [{number}]({page.name}) | {title[1]} |" in (DOCS / "adr" / "README.md").read_text()


def test_decisions_are_numbered_without_a_gap():
    assert [int(page.stem[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))
