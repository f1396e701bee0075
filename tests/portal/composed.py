"""What `docker-compose` makes of our file, and what the tables of the operations page say."""

import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = ROOT / "docs" / "operations.md"

TOLD = {
    "PORTAL_ORIGIN": "https://portal.example",
    "PKI_BASE_URL": "http://portal.example",
    "PKCS11_MODULE": "/opt/pkcs11/libvendor.so",
    "PKCS11_TOKEN": "portal",
    "PKCS11_FOLDER": "/opt/vendor",
    "ANCHORS_FOLDER": "/srv/anchors",
    "JOURNAL_KEY_ID": "01ab",
}


def docker_compose(*arguments: str, told: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the real tool, with nothing of ours in its environment but what `.env` would say."""
    environment = {"PATH": os.environ["PATH"], **(TOLD if told is None else told)}
    profiles = ["--profile", "by-hand", "--profile", "perspectives"]
    command = ["docker-compose", *profiles, "--project-directory", ROOT, *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


@cache
def whole() -> dict[str, Any]:
    done = docker_compose("config")
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = yaml.safe_load(done.stdout)
    return read


def services() -> dict[str, dict[str, Any]]:
    return whole()["services"]


def secrets_of(service: str) -> set[str]:
    return {given["source"] for given in services()[service].get("secrets", [])}


def networks_of(service: str) -> set[str]:
    return set(services()[service]["networks"])


@cache
def contexts() -> dict[str, dict[str, set[str]]]:
    """Return the first table of the operations page: per service, what stands as code in each column."""
    section = OPERATIONS.read_text().split("\n## Services\n", 1)[1].split("\n## ", 1)[0]
    head, _line, *rows = [row.split("|")[1:-1] for row in section.splitlines() if row.startswith("|")]
    names = [cell.strip().strip("`") for cell in head]
    return {
        row[0].strip(): {name: set(re.findall(r"`([^`]+)`", cell)) for name, cell in zip(names, row, strict=True)}
        for row in rows
    }
