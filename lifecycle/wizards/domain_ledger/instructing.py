"""What somebody has to publish, taken apart for the forms of DNS providers and for whoever puts a file on a server."""

from dataclasses import dataclass

from lifecycle.validation.account import account_uri
from lifecycle.validation.methods import METHODS
from lifecycle.validation.models import DomainControl
from lifecycle.validation.reading import zones_of


@dataclass(frozen=True, slots=True)
class ToDo:
    """One attempt's instruction in parts, each to be copied by itself."""

    kind: str
    """`txt`, `cname`, `file` or `mail`."""
    owner: str
    value: str
    line: str
    zone: str = ""
    """Of a record: the domain as it was registered, whose DNS the record belongs to."""
    within: str = ""
    """Of a record: its name within that zone, as most DNS providers ask for it."""
    folder: str = ""
    """Of a file: where it belongs, below what the web server delivers."""
    file: str = ""

    @property
    def type(self) -> str:
        return self.kind.upper()


def to_do(control: DomainControl) -> ToDo:
    """Needs the control's domain and tenant."""
    method, name = METHODS[control.method], control.domain.name
    value = control.sent_to if method.by_mail else control.value
    said = method.instruction(name, value, account_uri(control.tenant))
    if said.kind == "file":
        folder, _slash, file = said.owner.partition(f"//{name}")[2].rpartition("/")
        return ToDo(said.kind, said.owner, said.value, said.line, folder=f"{folder}/", file=file)
    if said.kind == "mail":
        return ToDo(said.kind, said.owner, said.value, said.line)
    zone = [*zones_of(name)][-1]
    return ToDo(said.kind, said.owner, said.value, said.line, zone, said.owner.removesuffix(f".{zone}"))
