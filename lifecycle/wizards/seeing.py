"""What remote perspectives made of a name, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lifecycle.validation.perspectives.quorum import Outcome


@dataclass(frozen=True, slots=True)
class Agreement:
    """Who of the remote perspectives that were asked saw the same as the portal."""

    agreeing: tuple[str, ...]
    dissenting: tuple[str, ...]

    @property
    def total(self) -> int:
        return len(self.agreeing) + len(self.dissenting)

    @property
    def sentence(self) -> str:
        return ngettext(
            "{agreeing} of {total} perspective agrees.", "{agreeing} of {total} perspectives agree.", self.total
        ).format(agreeing=len(self.agreeing), total=self.total)

    @property
    def dissent(self) -> str:
        """Who saw something else, or could not be asked; "" where nobody did."""
        if not self.dissenting:
            return ""
        return _("Saw something else, or could not be asked: {names}.").format(names=", ".join(self.dissenting))


def agreement_in(kept: Mapping[str, Any]) -> Agreement | None:
    """Read from the evidence of a look who saw the same as we did; None where no perspective was asked.

    Where we saw nothing that permits or proves, those agree that saw nothing, either.
    """
    quorum = kept.get("quorum") or {}
    agreeing, dissenting = tuple(quorum.get("agreeing", ())), tuple(quorum.get("dissenting", ()))
    if quorum.get("reason") == Outcome.NOT_SEEN_HERE:
        unheard = {row["name"] for row in kept.get("perspectives", ()) if "failure" in row}
        agreeing, dissenting = (
            tuple(name for name in dissenting if name not in unheard),
            (*agreeing, *(name for name in dissenting if name in unheard)),
        )
    return Agreement(agreeing, dissenting) if agreeing or dissenting else None
