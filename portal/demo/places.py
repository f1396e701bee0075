"""Where everything of one demo or one test run lies: below one folder, VAR.

Two demos side by side differ in VAR and PORT, in nothing else.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

# What `demo-reset` may delete.  Never VAR itself: somebody will set VAR to a folder that holds other things.
OURS = (
    *("anchors", "dns", "files", "log", "mail", "perspectives", "postgres", "redis"),
    *("run", "running", "secrets", "softhsm"),
)

# sun_path holds 108 bytes with its final zero, unix(7).
_LONGEST_SOCKET = 107
_SOCKET = ".s.PGSQL.5432"

# Only root needs it, only when nobody else can walk into VAR; only root can write beside it.
_OUTSIDE = Path("/var/lib/certificate-portal-demo")


class Unusable(Exception):
    """A folder or a program is not as it must be; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account that owns PostgreSQL's files when root starts us: its server refuses to run as root."""

    name: str
    uid: int
    gid: int

    @classmethod
    def for_servers(cls) -> "Account | None":
        """Return nobody's account when we are root, and None when we run as somebody who needs no change."""
        if os.geteuid() != 0:
            return None
        entry = pwd.getpwnam("nobody")
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)

    def reaches(self, path: Path) -> bool:
        """Tell whether every folder above *path* lets this account pass."""
        return all(self._passes(folder.stat()) for folder in path.resolve().parents if folder.exists())

    def _passes(self, status: os.stat_result) -> bool:
        return bool(status.st_mode & (stat.S_IXUSR if status.st_uid == self.uid else stat.S_IXOTH))


class Places:
    def __init__(self, var: Path) -> None:
        self.var = var.resolve()
        self.account = Account.for_servers()
        self._short: Path | None = None

    def make(self, name: str, mode: int = 0o700) -> Path:
        """Return VAR/name, a folder of ours."""
        self.var.mkdir(parents=True, exist_ok=True)
        folder = self.var / name
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
        return folder

    def log(self, name: str) -> Path:
        """Return the file that *name* writes to; what grew over 10 MB is put aside first."""
        path = self.make("log") / f"{name}.log"
        if path.exists() and path.stat().st_size > 10_000_000:  # noqa: PLR2004 - the 10 MB of the docstring
            path.replace(path.with_suffix(".log.1"))
        return path

    def secret(self, name: str, digits: int = 64) -> Path:
        """Return a file with a random secret, made at its first use and readable by us alone."""
        path = self.make("secrets") / name
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_hex(digits // 2))
        return path

    def sockets(self) -> Path:
        """Return the folder of the sockets: VAR/run, or a private temporary one when that is too deep or closed."""
        folder = self.var / "run" / _SOCKET
        if len(os.fsencode(folder)) <= _LONGEST_SOCKET and (
            self.account is None or self.account.reaches(folder.parent)
        ):
            return self._opened(self.make("run"))
        if self._short is None:
            self._short = Path(tempfile.mkdtemp(prefix="portal-"))
        return self._opened(self._short)

    def forget_sockets(self) -> None:
        """Delete the temporary folder of the sockets, if there is one."""
        if self._short is not None:
            shutil.rmtree(self._short, ignore_errors=True)
            self._short = None

    def of_postgres(self) -> Path:
        """Return the folder of PostgreSQL's files: in VAR, or below /var/lib when VAR is closed to its account."""
        if self.account is None or self.account.reaches(self.var / "postgres"):
            return self._opened(self.make("postgres"))
        folder = self._outside()
        folder.mkdir(parents=True, exist_ok=True)
        return self._opened(folder)

    def delete_everything(self) -> None:
        """Delete what this program made below VAR, and nothing else."""
        for name in OURS:
            if (self.var / name).exists():
                shutil.rmtree(self.var / name)
        if self.account is not None and self._outside().exists():
            shutil.rmtree(self._outside())

    def _outside(self) -> Path:
        return _OUTSIDE / hashlib.sha256(os.fsencode(self.var)).hexdigest()[:16]

    def _opened(self, folder: Path) -> Path:
        if self.account is not None:
            os.chown(folder, self.account.uid, self.account.gid)
            folder.chmod(0o700)
        return folder
