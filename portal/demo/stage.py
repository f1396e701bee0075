"""What the demo's pages may change of its surroundings: records, files, and what one perspective is told.

The supervisor writes it down when the name server starts; the web service and the story read it.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from portal.servers import Server

PAGES_KEY = "pages"
"""Name of the TSIG key (RFC 8945) with which pages and story change the zones."""


@dataclass(frozen=True, slots=True)
class Stage:
    names: str
    """Where the name server listens."""
    key: str
    """The secret of `PAGES_KEY`, in base64."""
    tenants_key: str
    """The secret of the key with which a tenant may publish its proofs."""
    folder: str
    """Where the zones lie, and beside them how they are at the start."""
    files: str
    """What the demo's web server shows: a folder for each name."""
    perspectives: tuple[str, ...] = ()
    """The names of those that look from elsewhere; none where none were started."""
    liar: str = ""
    """The one of them that can be told something else."""

    @property
    def server(self) -> Server:
        return Server.from_text(self.names)

    @property
    def lie(self) -> Path:
        """A file that is there as long as one perspective is lied to."""
        return Path(self.folder) / "lie"

    @property
    def start(self) -> Path:
        """What the story said that `zone.START` could not, since it depends on the tenants."""
        return Path(self.folder) / "start.json"

    def write(self, path: Path) -> None:
        """For nobody else to read: it holds a key."""
        fresh = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(self), file)
        fresh.replace(path)


def read(path: str) -> Stage | None:
    """The stage that is kept there; None where the demo has no name server of its own."""
    try:
        return Stage(**json.loads(Path(path).read_text())) if path else None
    except FileNotFoundError:
        return None
