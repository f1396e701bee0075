"""What one policy asks for, as a value: to propose, to compare, to judge, and to store as a version."""

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from lifecycle.policies.models import Policy

OPERATIONS = ("issue", "rekey", "reissue", "renew", "revoke", "recover")
CERTIFYING = frozenset({"issue", "rekey", "reissue", "renew"})
"""Operations at whose end a certificate is made: these can ask for an agreement and for a look at CAA records."""


@dataclass(frozen=True, slots=True)
class Asks:
    """The content of a `Policy` without its name and version; by default, what counts while nobody said anything."""

    enabled: bool = False
    factor: str = ""
    factor_settings: dict[str, int] = field(default_factory=dict)
    agreement: str = ""
    checks_caa: bool = False
    proves_control: bool = False
    corroborates: bool = False
    approvals: int = 0
    limits: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, policy: Policy | None) -> Self:
        return cls() if policy is None else cls(**{each.name: getattr(policy, each.name) for each in fields(cls)})

    def content(self) -> dict[str, Any]:
        return asdict(self)

    def differences(self, other: "Asks") -> list[tuple[str, Any, Any]]:
        """Name, value here and value in *other* of everything that differs; settings and limits one by one."""
        found: list[tuple[str, Any, Any]] = []
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            if isinstance(mine, dict):
                slugs = [slug for slug in {**mine, **theirs} if mine.get(slug) != theirs.get(slug)]
                found += [(f"{each.name}.{slug}", mine.get(slug), theirs.get(slug)) for slug in slugs]
            elif mine != theirs:
                found.append((each.name, mine, theirs))
        return found

    def journalled(self) -> str:
        """All of it in one line of text, the way the journal keeps it."""
        return json.dumps(self.content(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
