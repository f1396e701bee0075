"""What a profile may promise: sentences, each with its source, judged when a profile is saved.

Pure: facts in, complaints out, all at once.  What no certificate could keep is refused for
every profile.  What public trust demands is refused for the two public classes; for a
private profile it is advice that says what is given up (requirements section 8).
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lifecycle.authorities.keys import FAMILIES, KEY_KINDS
from lifecycle.authorities.models import Terms, Trust
from lifecycle.authorities.names import NAME_KINDS
from lifecycle.authorities.purposes import (
    ANY_PURPOSE,
    ASKED,
    DECRYPTING,
    EMAIL_PROTECTION,
    FAMILY_TITLES,
    FITTING_USES,
    PURPOSES,
    SERVER_AUTH,
    SUBJECT_TITLES,
    USES,
)

LONGEST_DAYS = 3650
MOST_PURPOSES = 20
LONGEST_VALUE = 64  # RFC 5280 appendix A: ub-organization-name and its like
_OID = re.compile(r"[0-2](\.(0|[1-9]\d{0,15})){2,30}")
_COUNTRY = re.compile(r"[A-Z]{2}")

FOREIGN_PURPOSES: dict[str, frozenset[str]] = {
    # BR 7.1.2.7.10 and S/MIME BR 7.1.2.3 f: what must not stand beside the purpose of the class
    Trust.PUBLIC_TLS: frozenset(
        {"1.3.6.1.5.5.7.3.3", EMAIL_PROTECTION, "1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.9", ANY_PURPOSE}
    ),
    Trust.PUBLIC_SMIME: frozenset({SERVER_AUTH, "1.3.6.1.5.5.7.3.3", "1.3.6.1.5.5.7.3.8", ANY_PURPOSE}),
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A profile as somebody wants it, and what the rules need to know beside it."""

    trust: str
    terms: Terms
    authority_ends: datetime
    authority_is_root: bool
    longest_life: timedelta | None  # of its trust class today, where there is such a limit
    now: datetime

    @property
    def is_public(self) -> bool:
        return self.trust != Trust.PRIVATE

    @property
    def families(self) -> list[str]:
        """Which of `ec` and `rsa` the allowed keys are of, in the order of the table."""
        chosen = {FAMILIES[slug] for slug in self.terms.key_types if slug in FAMILIES}
        return [family for family in FITTING_USES if family in chosen]

    @property
    def serves_tls(self) -> bool:
        purposes = self.terms.extended_key_usages
        return not purposes or bool({SERVER_AUTH, ANY_PURPOSE} & set(purposes))


@dataclass(frozen=True, slots=True)
class Rule:
    slug: str
    source: str
    field: str  # of the form, where the page points
    check: Callable[[Draft], str | None]
    binds_private: bool = True


@dataclass(frozen=True, slots=True)
class Complaint:
    rule: Rule
    sentence: str
    is_refused: bool

    def __str__(self) -> str:
        return f"{self.sentence} ({self.rule.source})"


def _keys_unknown(draft: Draft) -> str | None:
    chosen = draft.terms.key_types
    if not chosen:
        return _("Choose at least one kind of key.")
    return None if set(chosen) <= set(KEY_KINDS) else _("One of the kinds of key is not known here.")


def _uses_unfit(draft: Draft) -> str | None:
    for family in draft.families:
        uses = set(draft.terms.key_usage.get(family, ()))
        if not uses:
            return _("Say what {keys} may be used for.").format(keys=FAMILY_TITLES[family])
        if wrong := sorted(uses - FITTING_USES[family]):
            word = USES.get(wrong[0], wrong[0])
            return _("{keys} cannot be used for this: {use}.").format(keys=FAMILY_TITLES[family], use=word)
        if uses & {"encipher_only", "decipher_only"} and "key_agreement" not in uses:
            return _("“Only” narrows key agreement, which is not chosen for {keys}.").format(keys=FAMILY_TITLES[family])
    return None


def _purposes_unknown(draft: Draft) -> str | None:
    purposes = draft.terms.extended_key_usages
    if len(purposes) > MOST_PURPOSES:
        return _("A certificate names at most {most} purposes.").format(most=MOST_PURPOSES)
    odd = next((oid for oid in purposes if not _OID.fullmatch(oid)), None)
    return odd and _("“{oid}” is not an object identifier such as 1.3.6.1.5.5.7.3.2.").format(oid=odd[:80])


def _purposes_unfit(draft: Draft) -> str | None:
    for oid in draft.terms.extended_key_usages:
        purpose = PURPOSES.get(oid)
        for family in draft.families:
            uses = set(draft.terms.key_usage.get(family, ()))
            if purpose and purpose.uses and uses and not purpose.uses & uses:
                return _("The purpose “{purpose}” needs another use of {keys}: one of {uses}.").format(
                    purpose=purpose.title,
                    keys=FAMILY_TITLES[family],
                    uses=", ".join(str(USES[use]) for use in sorted(purpose.uses & FITTING_USES[family])),
                )
    return None


def _class_has_another_purpose(draft: Draft) -> str | None:
    purposes = set(draft.terms.extended_key_usages)
    if draft.trust == Trust.PUBLIC_TLS and SERVER_AUTH not in purposes:
        return _("Publicly trusted TLS certificates are for TLS servers: choose that purpose.")
    if draft.trust == Trust.PUBLIC_SMIME and EMAIL_PROTECTION not in purposes:
        return _("Publicly trusted e-mail certificates are for secure e-mail: choose that purpose.")
    if wrong := sorted(FOREIGN_PURPOSES.get(draft.trust, frozenset()) & purposes):
        return _("This purpose may not stand in such a certificate: {purpose}.").format(
            purpose=PURPOSES[wrong[0]].title
        )
    return None


def _class_has_other_names(draft: Draft) -> str | None:
    kinds = set(draft.terms.alternative_names)
    if kinds - set(NAME_KINDS):
        return _("One of the kinds of names is not known here.")
    if draft.trust == Trust.PUBLIC_TLS and kinds != {"dns"}:
        return _("Publicly trusted TLS certificates have DNS names, and no other kind.")
    if draft.trust == Trust.PUBLIC_SMIME and kinds != {"email"}:
        return _("Publicly trusted e-mail certificates have e-mail addresses, and no other kind.")
    return None


def _mail_without_address(draft: Draft) -> str | None:
    if EMAIL_PROTECTION not in draft.terms.extended_key_usages or "email" in draft.terms.alternative_names:
        return None
    return _("A certificate for secure e-mail needs an e-mail address in it: choose that kind of name.")


def _subject_unfit(draft: Draft) -> str | None:
    asked, fixed = draft.terms.subject, draft.terms.fixed_subject
    if both := [SUBJECT_TITLES[name] for name in asked if fixed.get(name)]:
        return _("“{field}” is asked for and fixed at the same time.").format(field=both[0])
    if set(asked) - set(ASKED) or set(fixed) - set(SUBJECT_TITLES):
        return _("One of the fields of the subject is not known here.")
    return _common_name_unfit(draft) or _fixed_unfit(fixed)


def _common_name_unfit(draft: Draft) -> str | None:
    terms = draft.terms
    if not terms.common_name_from:
        named = terms.subject or any(terms.fixed_subject.values()) or terms.alternative_names
        return None if named else _("The certificate would name nobody: ask for a field or a name, or fix a field.")
    if terms.common_name_from not in terms.alternative_names:
        return _("The name is to come from a kind of names that the profile does not have.")
    if "common_name" in terms.subject or terms.fixed_subject.get("common_name"):
        return _("The name is to come from the other names, so it can be neither asked for nor fixed.")
    return None


def _fixed_unfit(fixed: dict[str, str]) -> str | None:
    if fixed.get("country") and not _COUNTRY.fullmatch(fixed["country"]):
        return _("A country is two capital letters, such as CZ.")
    if any(len(value) > LONGEST_VALUE for value in fixed.values()):
        return _("A field of the subject has at most {most} characters.").format(most=LONGEST_VALUE)
    if any(unicodedata.category(sign)[0] in "CZ" and sign != " " for value in fixed.values() for sign in value):
        return _("Leave out characters that cannot be seen.")
    return None


def _lives_too_long(draft: Draft) -> str | None:
    days = draft.terms.days
    if not 1 <= days <= LONGEST_DAYS:
        return _("Certificates are valid for 1 to {most} days.").format(most=LONGEST_DAYS)
    if draft.longest_life is None or days <= draft.longest_life.days:
        return None
    return ngettext(
        "Certificates of this trust class are valid for at most {most} day.",
        "Certificates of this trust class are valid for at most {most} days.",
        draft.longest_life.days,
    ).format(most=draft.longest_life.days)


def _outlives_its_authority(draft: Draft) -> str | None:
    left = (draft.authority_ends - draft.now).days
    if not 1 <= draft.terms.days <= LONGEST_DAYS or draft.terms.days <= left:
        return None
    return _("The authority itself ends on {day}, and no certificate outlives its authority.").format(
        day=f"{draft.authority_ends:%Y-%m-%d}"
    )


def _root_signs(draft: Draft) -> str | None:
    if not draft.authority_is_root:
        return None
    if draft.is_public:
        return _("A root does not sign certificates of subscribers: choose an issuing authority.")
    return _("The root signs by itself; if its key is lost, everything under it has to be replaced.")


def _server_key_archived(draft: Draft) -> str | None:
    if not draft.terms.krs or not draft.serves_tls:
        return None
    if draft.is_public:
        return _("The key of a TLS server is never archived; neither is one for any purpose.")
    return _("An archived key of a TLS server lets whoever opens the archive pass for that server.")


def _signing_key_archived(draft: Draft) -> str | None:
    if not draft.terms.krs:
        return None
    only_sign = [family for family in draft.families if not DECRYPTING & set(draft.terms.key_usage.get(family, ()))]
    if not only_sign:
        return None
    return _("{keys} only sign here, and a key that signs is never archived: a copy of it could sign as well.").format(
        keys=FAMILY_TITLES[only_sign[0]]
    )


RULES: tuple[Rule, ...] = (
    Rule("keys", "BR 6.1.5", "key_types", _keys_unknown),
    Rule("uses", "RFC 5280 4.2.1.3, RFC 8813, RFC 4055", "key_usage_ec", _uses_unfit),
    Rule("purposes", "RFC 5280 4.2.1.12", "purposes", _purposes_unknown),
    Rule("purposes-fit", "RFC 5280 4.2.1.12", "purposes", _purposes_unfit),
    Rule("class-purpose", "BR 7.1.2.7.10, S/MIME BR 7.1.2.3", "purposes", _class_has_another_purpose),
    Rule("class-names", "BR 7.1.2.7.12, S/MIME BR 7.1.2.3", "alternative_names", _class_has_other_names),
    Rule("mail-address", "S/MIME BR 7.1.4.2.1", "alternative_names", _mail_without_address),
    Rule("subject", "RFC 5280 4.1.2.6", "subject", _subject_unfit),
    Rule("lifetime", "BR 6.3.2, S/MIME BR 6.3.2", "days", _lives_too_long),
    Rule("nested", "RFC 5280 6.1.3", "days", _outlives_its_authority),
    Rule("root", "BR 6.1.7", "authority", _root_signs, binds_private=False),
    Rule("server-key", "BR 6.1.1.3", "krs", _server_key_archived, binds_private=False),
    Rule("signing-key", "C12", "krs", _signing_key_archived),
)


def complaints_about(draft: Draft, rules: Iterable[Rule] = RULES) -> tuple[Complaint, ...]:
    """Ask every rule; whether its answer is a refusal or advice hangs on the trust class."""
    return tuple(
        Complaint(rule, said, is_refused=rule.binds_private or draft.is_public)
        for rule in rules
        if (said := rule.check(draft))
    )
