"""Who lives in the demo.  Plain data: the supervisor shows it before Django is set up."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Somebody:
    name: str
    email: str
    tenant: str  # slugs, for reading; see `seats`
    roles: tuple[str, ...]
    password: str

    @property
    def seats(self) -> tuple[str, ...]:
        return tuple(self.tenant.split(" and "))


PEOPLE = (
    Somebody("Petra Nováková", "petra@acme.example", "acme", ("subscriber",), "petra-signs-papers"),
    Somebody("Dan Král", "dan@acme.example", "acme", ("subscriber",), "dan-lost-his-key"),
    Somebody("Li Wei", "wei@acme.example", "acme", ("reviewer",), "wei-reads-twice"),
    Somebody("Jonas Meyer", "jonas@acme.example", "acme", ("recovery-officer",), "jonas-keeps-keys"),
    Somebody("Ada Osei", "ada@acme.example", "acme", ("administrator",), "ada-sets-the-rules"),
    Somebody("Vera Lind", "vera@audit.example", "acme and globex", ("auditor",), "vera-trusts-hashes"),
    Somebody("Hank Scorpio", "hank@globex.example", "globex", ("subscriber", "administrator"), "hank-owns-a-volcano"),
    Somebody("Mina Park", "mina@globex.example", "globex", ("subscriber",), "mina-mails-encrypted"),
    Somebody("Olu Bello", "olu@portal.example", "platform", ("operator",), "olu-runs-the-place"),
)
