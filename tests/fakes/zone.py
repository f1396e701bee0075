"""The DNS as a table: what a test says a name's CAA records are, without a name server."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lifecycle.validation.caa import Answer, LookupFailed, Reason, Record

TTL = 300


class Unforgiving:
    """A resolver that has no failure forgiven (BR 3.2.2.8)."""

    def caa_again(self, failure: LookupFailed, ends: float) -> Answer:  # noqa: ARG002 - the protocol's
        raise failure

    def forgives(self, failure: LookupFailed, ends: float) -> bool:  # noqa: ARG002 - the protocol's
        return False


@dataclass(frozen=True)
class Zone(Unforgiving):
    """Answers for each name with the issuers of its `issue` records, or with why it cannot be looked up."""

    names: Mapping[str, tuple[str, ...] | Reason] = field(default_factory=dict)

    def caa(self, name: str, ends: float) -> Answer:  # noqa: ARG002 - the protocol's
        said = self.names.get(name, ())
        if isinstance(said, Reason):
            raise LookupFailed(said, name, resolver="192.0.2.53:53")
        records = tuple(Record(0, "issue", issuer.encode()) for issuer in said)
        return Answer(name, records, TTL, "192.0.2.53:53")
