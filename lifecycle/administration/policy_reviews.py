"""What a change of policies comes to before it is saved; pages and programs are told the same.

The caller is inside `acting_for(tenant)`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from lifecycle.administration import impact, wording
from lifecycle.administration.impact import Reached
from lifecycle.administration.subjects import subject_of
from lifecycle.authorities.models import CertificateProfile
from lifecycle.policies import selectors
from lifecycle.policies.asks import Asks
from lifecycle.policies.errors import NothingChanged, PolicyChangedMeanwhile, PolicyUnfit
from lifecycle.policies.models import Policy
from lifecycle.policies.standing import Complaint, Standing, complaints_about


@dataclass(frozen=True, slots=True)
class Review:
    """What changes and gives up, what the rules advise against, whom it reaches, and what waits for a release."""

    changes: list[wording.Change]
    advice: list[str]
    reached: list[Reached]
    later: list[wording.Text]

    @property
    def given_up(self) -> list[wording.Change]:
        return [row for row in self.changes if row.gives_up]


def review(
    profile: CertificateProfile,
    wanted: Mapping[str, Asks],
    *,
    seen: Mapping[str, int],
    in_force: Mapping[str, Policy],
    agreements: Mapping[str, str],
) -> Review:
    """Say what saving *wanted* would do; raise what saving it would: unfit, nothing changed, changed meanwhile.

    *seen* are the versions that its author looked at, 0 where there was none.
    """
    subject = subject_of(profile)
    changed = {name: asks for name, asks in wanted.items() if asks != _as_seen(profile.slug, name, seen)}
    judged = [each for name, asks in changed.items() for each in complaints_about(Standing(name, asks, subject))]
    if refused := [each for each in judged if each.is_refused]:
        raise PolicyUnfit(refused)
    if not changed:
        raise NothingChanged
    overtaken = [name for name in changed if _version(in_force.get(name)) != seen.get(name, 0)]
    if overtaken:
        raise PolicyChangedMeanwhile(overtaken)
    before = {name: Asks.of(in_force.get(name)) for name in changed}
    reached = [impact.of_certificates(profile.slug)]
    for name, asks in changed.items():
        off = before[name].enabled and not asks.enabled
        reached += impact.of_operation(profile.slug, name, switched_off=off)
    if any(asks.proves_control and not before[name].proves_control for name, asks in changed.items()):
        reached.append(impact.of_control())
    return Review(
        [row for name, asks in changed.items() for row in wording.changes(name, before[name], asks, agreements)],
        [said(each) for each in judged],
        reached,
        [wording.OPERATIONS[name].title for name in changed if not wording.OPERATIONS[name].is_available],
    )


def _as_seen(profile: str, name: str, seen: Mapping[str, int]) -> Asks:
    looked_at = selectors.history_of(profile).filter(operation=name, version=seen.get(name, 0)).first()
    return Asks.of(looked_at)


def _version(policy: Policy | None) -> int:
    return policy.version if policy else 0


def said(complaint: Complaint) -> str:
    return f"{wording.OPERATIONS[complaint.operation].title}: {complaint}"
