"""A profile in words: every field with its value, so that any two versions can be compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lifecycle.administration.wording import TRUST_TITLES, in_a_row
from lifecycle.authorities.keys import KEY_KINDS
from lifecycle.authorities.models import CertificateProfile
from lifecycle.authorities.names import NAME_TITLES
from lifecycle.authorities.profiles import Wish
from lifecycle.authorities.purposes import FAMILY_TITLES, PURPOSES, SUBJECT_TITLES, USES

FIELD_TITLES: dict[str, str | Promise] = {
    "title": gettext_lazy("Title"),
    "about": gettext_lazy("Description"),
    "area": gettext_lazy("Product area"),
    "trust": gettext_lazy("Trust class"),
    "authority": gettext_lazy("Authority"),
    "key_types": gettext_lazy("Kinds of key"),
    "key_usage_ec": gettext_lazy("Uses of EC keys"),
    "key_usage_rsa": gettext_lazy("Uses of RSA keys"),
    "purposes": gettext_lazy("Purposes"),
    "subject": gettext_lazy("Asked of the subscriber"),
    "common_name_from": gettext_lazy("Name is taken from"),
    "fixed": gettext_lazy("Same in every certificate"),
    "alternative_names": gettext_lazy("Alternative names"),
    "days": gettext_lazy("Validity"),
    "krs": gettext_lazy("Key archive (KRS)"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    label: str | Promise
    before: str
    after: str
    field: str = ""


def as_wish(profile: CertificateProfile) -> Wish:
    return Wish(profile.title, profile.area, profile.trust, profile.authority_id, profile.content)


def words_of(wish: Wish, authorities: Mapping[UUID, str]) -> dict[str, str]:
    """Every field in words, by its name in `FIELD_TITLES`."""
    terms = wish.terms
    nothing = _("None")
    fixed = [
        _("{field}: {value}").format(field=SUBJECT_TITLES.get(name, name), value=value)
        for name, value in terms.fixed_subject.items()
        if value
    ]
    return {
        "title": wish.title,
        "about": str(wish.content.get("about", "")) or nothing,
        "area": wish.area,
        "trust": str(TRUST_TITLES.get(wish.trust, wish.trust)),
        "authority": authorities.get(wish.authority, ""),
        "key_types": in_a_row(KEY_KINDS[slug].title for slug in terms.key_types if slug in KEY_KINDS) or nothing,
        **{
            f"key_usage_{family}": in_a_row(USES.get(use, use) for use in terms.key_usage.get(family, ())) or nothing
            for family in FAMILY_TITLES
        },
        "purposes": in_a_row(PURPOSES[oid].title if oid in PURPOSES else oid for oid in terms.extended_key_usages)
        or nothing,
        "subject": in_a_row(SUBJECT_TITLES.get(name, name) for name in terms.subject) or nothing,
        "common_name_from": str(NAME_TITLES.get(terms.common_name_from, nothing)),
        "fixed": in_a_row(fixed) or nothing,
        "alternative_names": in_a_row(NAME_TITLES.get(kind, kind) for kind in terms.alternative_names) or nothing,
        "days": ngettext("{n} day", "{n} days", terms.days).format(n=terms.days),
        "krs": _("Keys are archived") if terms.krs else _("Off"),
    }


def differences(before: Wish, after: Wish, authorities: Mapping[UUID, str]) -> list[Difference]:
    old, new = words_of(before, authorities), words_of(after, authorities)
    return [
        Difference(FIELD_TITLES[name], old[name], new[name], name) for name in FIELD_TITLES if old[name] != new[name]
    ]


def facts_of(wish: Wish, authorities: Mapping[UUID, str]) -> list[tuple[str | Promise, str]]:
    said = words_of(wish, authorities)
    return [(title, said[name]) for name, title in FIELD_TITLES.items()]
