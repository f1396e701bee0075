"""What CAA records permit, case by case; each names the clause that it tests.

Plain data, so that the same table judges mutants of the code (`tests/drills/test_mutations_caa.py`).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

CA, ACCOUNT, DNS_CHANGE, FILE = "ca.portal.example", "acct:acme@portal.example", "ca-tbr-7", "ca-tbr-18"
HOST, WILD, MAIL = "www.example.test", "*.example.test", "@example.test"

Row = tuple[int, str, bytes]
"""Flags, tag and value of a record."""


def issue(value: str, *, tag: str = "issue", flags: int = 0) -> Row:
    return flags, tag, value.encode()


def wild(value: str) -> Row:
    return issue(value, tag="issuewild")


def mail(value: str) -> Row:
    return issue(value, tag="issuemail")


@dataclass(frozen=True)
class Fails:
    """A look-up that fails, and is forgiven (BR 3.2.2.8) or not; *then* is what a second one comes to."""

    reason: str
    then: Any
    forgiven: bool = True


@dataclass(frozen=True)
class Case:
    """Who asks for *name*, what the DNS says, and what that comes to."""

    says: str
    clause: str
    """The one that the case tests."""
    records: tuple[Row, ...] | Mapping[str, Any]
    """Of the name itself; or by label, where a reason or a `Fails` stands for a look-up that does not succeed."""
    reason: str
    by: str
    """The clause that the decision names."""
    name: str = HOST
    terms: Mapping[str, Any] = field(default_factory=dict)
    record: int | None = None
    """Which of the records the decision is about."""
    issuers: tuple[str, ...] = ()
    governing: str = "issue"

    @property
    def permitted(self) -> bool:
        return self.reason in {"no-records", "not-restricted", "named", "excused"}

    @property
    def zone(self) -> Mapping[str, Any]:
        if isinstance(self.records, Mapping):
            return self.records
        return {self.name.removeprefix("*.").removeprefix("@"): self.records}

    @property
    def asks(self) -> dict[str, Any]:
        return {"identities": (CA,), "account": ACCOUNT, "methods": (DNS_CHANGE,), **self.terms}

    def outcome(self, caa: ModuleType) -> tuple[Any, ...]:
        """What *caa*, the module or a mutant of it, makes of the case."""
        zone = _Zone(caa, self.zone)
        try:
            found = caa.relevant_set(self.name, zone)
        except caa.LookupFailed as failure:
            return (False, str(failure.reason), "", None, (), "")
        decision = caa.permits(found, caa.Terms(**{"mail": self.name.startswith("@"), **self.asks}))
        record = found.records.index(decision.record) if decision.record else None
        return (
            decision.permitted, str(decision.reason), decision.clause, record, decision.issuers, decision.governing
        )  # fmt: skip

    @property
    def expected(self) -> tuple[Any, ...]:
        if not self.by:
            return (False, self.reason, "", None, (), "")
        governing = "issuemail" if self.name.startswith("@") else self.governing
        return (self.permitted, self.reason, self.by, self.record, self.issuers, governing)


@dataclass(frozen=True)
class _Zone:
    module: ModuleType
    said: Mapping[str, Any]

    def caa(self, name: str, ends: float) -> Any:
        assert 0 < ends - time.monotonic() <= self.module.PATIENCE
        return self._answer(name, self.said.get(name, ()))

    def caa_again(self, failure: Any, _ends: float) -> Any:
        return self._answer(failure.asked, self.said[failure.asked].then)

    def forgives(self, failure: Any, _ends: float) -> bool:
        return failure.detail == "forgiven"

    def _answer(self, name: str, found: Any) -> Any:
        if isinstance(found, str):
            found = Fails(found, (), forgiven=False)
        if isinstance(found, Fails):
            detail = "forgiven" if found.forgiven else ""
            raise self.module.LookupFailed(self.module.Reason(found.reason), name, detail)
        return self.module.Answer(name, tuple(self.module.Record(*row) for row in found), 60)


R8659_3, R8659_4_1, R8659_4_2, R8659_4_3 = "RFC 8659 3", "RFC 8659 4.1", "RFC 8659 4.2", "RFC 8659 4.3"
R8659_4_4, R8659_4_5 = "RFC 8659 4.4", "RFC 8659 4.5"
R8657_3, R8657_4, R9495_4 = "RFC 8657 3", "RFC 8657 4", "RFC 9495 4"
OTHER = ("other.example",)

CLIMBING = (
    Case("nobody has records", R8659_3, {}, "no-records", R8659_3),
    Case("records of the parent count", R8659_3, {"example.test": (issue("other.example"),)}, "others-named", R8659_4_2,
         record=0, issuers=OTHER),
    Case("records of the top count where nobody below has any", R8659_3, {"test": (issue("other.example"),)},
         "others-named", R8659_4_2, record=0, issuers=OTHER),
    Case("a name's own records overrule its parent's", R8659_3,
         {HOST: (issue(CA),), "example.test": (issue("other.example"),)}, "named", R8659_4_2),
    Case("what restricts nothing overrules the parent's, too", R8659_3,
         {HOST: ((0, "iodef", b"mailto:a@b.test"),), "example.test": (issue("other.example"),)},
         "not-restricted", R8659_3),
    Case("records of a sibling are nobody's business", R8659_3, {"api.example.test": (issue("other.example"),)},
         "no-records", R8659_3),
    Case("a name that cannot be looked up is no consent", R8659_3, {HOST: "server-failed"}, "server-failed", ""),
    Case("nor is it where its parent permits", R8659_3, {HOST: "timed-out", "example.test": (issue(CA),)},
         "timed-out", ""),
    Case("a parent that cannot be looked up is no consent", R8659_3, {"example.test": "server-failed"},
         "server-failed", ""),
    Case("a parent that cannot be looked up does not matter below records", R8659_3,
         {HOST: (issue(CA),), "example.test": "server-failed"}, "named", R8659_4_2),
    Case("a wildcard's climb begins at the name behind its star", R8659_3, {"example.test": (issue("other.example"),)},
         "others-named", R8659_4_2, name=WILD, record=0, issuers=OTHER),
    Case("and asks nobody about the star itself", R8659_3, {WILD: (issue("other.example"),)}, "no-records", R8659_3,
         name=WILD),
    Case("a name is asked about in lower case, without a dot at its end", R8659_3,
         {HOST: (issue("other.example"),)}, "others-named", R8659_4_2, name=" WWW.Example.Test. ", record=0,
         issuers=OTHER),
)  # fmt: skip

SILENT, REFUSED = Fails("timed-out", Fails("timed-out", ())), Fails("refused", Fails("refused", (), forgiven=False))

EXCUSES = (
    Case("what failed twice in an unsigned zone may count as none", "BR 3.2.2.8", {HOST: SILENT}, "excused",
         "BR 3.2.2.8"),
    Case("and the names above are asked all the same", "BR 3.2.2.8",
         {HOST: SILENT, "example.test": (issue("other.example"),)}, "others-named", R8659_4_2, record=0, issuers=OTHER),
    Case("as they are where they permit", "BR 3.2.2.8", {HOST: SILENT, "example.test": (issue(CA),)}, "named",
         R8659_4_2),
    Case("what failed once is looked up again", "BR 3.2.2.8",
         {HOST: Fails("timed-out", (issue("other.example"),)), "example.test": (issue(CA),)}, "others-named", R8659_4_2,
         record=0, issuers=OTHER),
    Case("a second look that finds nothing leaves what stands above", "BR 3.2.2.8",
         {HOST: Fails("timed-out", ()), "example.test": (issue("other.example"),)}, "others-named", R8659_4_2, record=0,
         issuers=OTHER),
    Case("a second look that finds nothing needs no excuse", "BR 3.2.2.8", {HOST: Fails("timed-out", ())}, "no-records",
         R8659_3),
    Case("a second failure has to be forgiven as well", "BR 3.2.2.8", {HOST: REFUSED}, "refused", ""),
    Case("of two failures the nearer one's records count", "BR 3.2.2.8",
         {HOST: Fails("timed-out", (issue("other.example"),)), "example.test": Fails("timed-out", (issue(CA),))},
         "others-named", R8659_4_2, record=0, issuers=OTHER),
    Case("a label that fails again leaves the second look at the next one", "BR 3.2.2.8",
         {HOST: SILENT, "example.test": Fails("timed-out", (issue("other.example"),))}, "others-named", R8659_4_2,
         record=0, issuers=OTHER),
    Case("one excuse does not cover another label", "BR 3.2.2.8", {HOST: SILENT, "example.test": "bogus"}, "bogus", ""),
)  # fmt: skip

SETS = (
    Case("a property that names us permits", R8659_4_2, (issue(CA),), "named", R8659_4_2),
    Case("one that names others forbids", R8659_4_2, (issue("other.example"),), "others-named", R8659_4_2, record=0,
         issuers=OTHER),
    Case("one of several is enough", R8659_4_2, (issue("other.example"), issue(CA)), "named", R8659_4_2),
    Case("those who are named are told, in their order", R8659_4_2, (issue("other.example"), issue("third.example")),
         "others-named", R8659_4_2, record=0, issuers=("other.example", "third.example")),
    Case("a tag's case means nothing", R8659_4_1, (issue("other.example", tag="iSsUe"),), "others-named", R8659_4_2,
         record=0, issuers=OTHER),
    Case("a property that names nobody forbids", R8659_4_2, (issue(";"),), "nobody-named", R8659_4_2, record=0),
    Case("and permits where another one does", R8659_4_2, (issue(";"), issue(CA)), "named", R8659_4_2),
    Case("an empty value names nobody", R8659_4_2, (issue(""),), "nobody-named", R8659_4_2, record=0),
    Case("blanks name nobody", R8659_4_2, (issue(" \t"),), "nobody-named", R8659_4_2, record=0),
    Case("whoever is named by no authority is not us", R8659_4_2, (issue(CA),), "others-named", R8659_4_2,
         terms={"identities": ()}, record=0, issuers=(CA,)),
    Case("an empty identity is not nobody", R8659_4_2, (issue(""),), "nobody-named", R8659_4_2,
         terms={"identities": ("",)}, record=0),
    Case("any of our identities permits", R8659_4_2, (issue(CA),), "named", R8659_4_2,
         terms={"identities": ("second.example", CA)}),
    Case("an identity is compared in lower case, without a dot at its end", R8659_4_2, (issue(CA),), "named", R8659_4_2,
         terms={"identities": ("CA.Portal.Example.",)}),
    Case("only others named is said before a value that cannot be read", R8659_4_2,
         (issue("%"), issue("other.example")), "others-named", R8659_4_2, record=1, issuers=OTHER),
    Case("a value that cannot be read is said before one that names nobody", R8659_4_2, (issue(";"), issue("%")),
         "malformed", R8659_4_2, record=1),
    Case("a set with nothing but iodef restricts nothing", R8659_4_4, ((0, "iodef", b"mailto:a@b.test"),),
         "not-restricted", R8659_3),
    Case("issuewild says nothing about a name without a star", R8659_4_3, (wild("other.example"),), "not-restricted",
         R8659_3),
    Case("nor does it permit one", R8659_4_3, (issue("other.example"), wild(CA)), "others-named", R8659_4_2, record=0,
         issuers=OTHER),
    Case("issue counts for a wildcard where there is no issuewild", R8659_4_2, (issue(CA),), "named", R8659_4_2,
         name=WILD),
    Case("and forbids one", R8659_4_2, (issue(";"),), "nobody-named", R8659_4_2, name=WILD, record=0),
    Case("issuewild permits a wildcard", R8659_4_3, (wild(CA),), "named", R8659_4_3, name=WILD, governing="issuewild"),
    Case("issuewild forbids one", R8659_4_3, (wild(";"),), "nobody-named", R8659_4_3, name=WILD, record=0,
         governing="issuewild"),
    Case("issuewild forbids a wildcard that issue permits", R8659_4_3, (issue(CA), wild("other.example")),
         "others-named", R8659_4_3, name=WILD, record=1, issuers=OTHER, governing="issuewild"),
    Case("issuewild permits a wildcard that issue forbids", R8659_4_3, (issue("other.example"), wild(CA)), "named",
         R8659_4_3, name=WILD, governing="issuewild"),
    Case("one issuewild of several is enough", R8659_4_3, (wild("other.example"), wild(CA)), "named", R8659_4_3,
         name=WILD, governing="issuewild"),
    Case("the case of issuewild means nothing", R8659_4_1, (issue(CA), issue("other.example", tag="IssueWild")),
         "others-named", R8659_4_3, name=WILD, record=1, issuers=OTHER, governing="issuewild"),
)  # fmt: skip

CRITICAL = (
    Case("a critical property that nobody knows forbids", R8659_4_5, ((128, "foo", b"bar"),), "unknown-critical",
         R8659_4_5, record=0),
    Case("whatever else permits", R8659_4_5, (issue(CA), (128, "foo", b"bar")), "unknown-critical", R8659_4_5,
         record=1),
    Case("also where people count bits from the other end", R8659_4_5, ((1, "foo", b"bar"),), "unknown-critical",
         R8659_4_5, record=0),
    Case("beside other bits", R8659_4_5, ((255, "foo", b"bar"),), "unknown-critical", R8659_4_5, record=0),
    Case("other bits mean nothing", R8659_4_1, ((0x7E, "foo", b"bar"),), "not-restricted", R8659_3),
    Case("a property that nobody knows and that is not critical is ignored", R8659_4_1, ((0, "foo", b"bar"), issue(CA)),
         "named", R8659_4_2),
    Case("for a wildcard as well", R8659_4_5, ((128, "foo", b"bar"), wild(CA)), "unknown-critical", R8659_4_5,
         name=WILD, record=0, governing="issuewild"),
    Case("a critical issue is known", R8659_4_5, (issue("other.example", flags=128),), "others-named", R8659_4_2,
         record=0, issuers=OTHER),
    Case("and permits if it names us", R8659_4_5, (issue("other.example", flags=1), issue(CA, flags=1)), "named",
         R8659_4_2),
    Case("a critical issuewild is known", R8659_4_5, (issue(CA, tag="issuewild", flags=128),), "not-restricted",
         R8659_3),
    Case("a critical iodef is known", R8659_4_4, ((128, "iodef", b"https://a.test"),), "not-restricted", R8659_3),
    Case("a critical property of mailboxes is known", R9495_4, ((128, "issuemail", b";"),), "not-restricted", R8659_3),
    Case("a critical property of logos is known", R8659_4_5, ((128, "issuevmc", b";"),), "not-restricted", R8659_3),
    Case("known tags are known in any case", R8659_4_1, ((128, "IODEF", b"https://a.test"),), "not-restricted",
         R8659_3),
    Case("a critical property of the parent counts for the name below", R8659_4_5,
         {"example.test": ((128, "foo", b"bar"),)}, "unknown-critical", R8659_4_5, record=0),
)  # fmt: skip

VALUES = (
    Case("blanks around a name mean nothing", R8659_4_2, (issue(f" \t{CA}\t "),), "named", R8659_4_2),
    Case("an issuer's case means nothing", R8659_4_2, (issue("CA.Portal.EXAMPLE"),), "named", R8659_4_2),
    Case("a semicolon without parameters is fine", R8659_4_2, (issue(f"{CA}; "),), "named", R8659_4_2),
    Case("parameters that nobody defined are ignored", R8659_4_2, (issue(f"  {CA}  ;foo=bar;baz=bar"),), "named",
         R8659_4_2),
    Case("blanks may stand around everything in a parameter", R8659_4_2, (issue(f"{CA} ; foo = bar ; baz\t=\tbar "),),
         "named", R8659_4_2),
    Case("a parameter may be empty", R8659_4_2, (issue(f"{CA}; foo="),), "named", R8659_4_2),
    Case("a parameter's value may hold every sign but blanks and semicolons", R8659_4_2,
         (issue(f"{CA}; foo=!a=b:<z{{|}}~"),), "named", R8659_4_2),
    Case("parameters alone name nobody", R8659_4_2, (issue(f"; accounturi={ACCOUNT}"),), "nobody-named", R8659_4_2,
         record=0),
    Case("hyphens may stand within a label", R8659_4_2, (issue("c--a.x-y.example"),), "others-named", R8659_4_2,
         record=0, issuers=("c--a.x-y.example",)),
    Case("digits may stand anywhere in a label", R8659_4_2, (issue("5.a5-5a.9z"),), "others-named", R8659_4_2,
         record=0, issuers=("5.a5-5a.9z",)),
    Case("a name of one label is a name", R8659_4_2, (issue("example"),), "others-named", R8659_4_2, record=0,
         issuers=("example",)),
    Case("a label of one sign is a label", R8659_4_2, (issue("a.b"),), "others-named", R8659_4_2, record=0,
         issuers=("a.b",)),
    *(
        Case(says, R8659_4_2, (issue(value),), "malformed", R8659_4_2, record=0)
        for says, value in (
            ("a dot at the end of the name spoils it", f"{CA}."),
            ("a dot at its beginning", f".{CA}"),
            ("two dots in a row", "ca..portal.example"),
            ("a hyphen at the beginning of a label", f"-{CA}"),
            ("a hyphen at the end of one", f"{CA}-"),
            ("a sign that no label has", f"c_{CA}"),
            ("a blank within", "ca portal.example"),
            ("two names", f"{CA} {CA}"),
            ("a comma between two", f"{CA},{CA}"),
            ("quotation marks", f'"{CA}"'),
            ("a control character", f"{CA}\x00"),
            ("a line's end", f"{CA}\n"),
            ("letters of other scripts", "cа.portal.example"),  # noqa: RUF001 - that is the point
            ("a semicolon behind the last parameter", f"{CA}; foo=bar;"),
            ("two semicolons in a row", f"{CA}; foo=bar;; baz=bar"),
            ("a parameter without an equals sign", f"{CA}; foo"),
            ("a parameter without a name", f"{CA}; =bar"),
            ("a name of a parameter that is none", f"{CA}; a_b=123"),
            ("a blank in a parameter's value", f"{CA}; ab=1 2 3"),
            ("a letter of other scripts in one", f"{CA}; ab=ä"),
            ("no semicolon before the parameters", f"{CA} foo=bar"),
        )
    ),
    Case("octets that are no text spoil a value", R8659_4_2, ((0, "issue", CA.encode() + b"\xff"),), "malformed",
         R8659_4_2, record=0),
    Case("a value that cannot be read names nobody, and permits where another one does", R8659_4_2,
         (issue(f"{CA}."), issue(CA)), "named", R8659_4_2),
)  # fmt: skip

PARAMETERS = (
    Case("our account is permitted", R8657_3, (issue(f"{CA}; accounturi={ACCOUNT}"),), "named", R8659_4_2),
    Case("another account is not", R8657_3, (issue(f"{CA}; accounturi=acct:globex@portal.example"),), "other-account",
         R8657_3, record=0),
    Case("an account is compared letter by letter", R8657_3, (issue(f"{CA}; accounturi={ACCOUNT.upper()}"),),
         "other-account", R8657_3, record=0),
    Case("an account is compared as a whole", R8657_3, (issue(f"{CA}; accounturi={ACCOUNT}/x"),), "other-account",
         R8657_3, record=0),
    Case("escapes are compared as they stand", R8657_3, (issue(f"{CA}; accounturi={ACCOUNT.replace('@', '%40')}"),),
         "other-account", R8657_3, record=0),
    Case("an account of several properties is enough", R8657_3,
         (issue(f"{CA}; accounturi=acct:globex@portal.example"), issue(f"{CA}; accounturi={ACCOUNT}")), "named",
         R8659_4_2),
    Case("a property for an account of another authority permits nobody", R8657_3,
         (issue(f"other.example; accounturi={ACCOUNT}"),), "others-named", R8659_4_2, record=0, issuers=OTHER),
    Case("whoever has no account satisfies none", R8657_3, (issue(f"{CA}; accounturi={ACCOUNT}"),), "other-account",
         R8657_3, terms={"account": ""}, record=0),
    Case("nor an empty one", R8657_3, (issue(f"{CA}; accounturi="),), "unsatisfiable", R8657_3, terms={"account": ""},
         record=0),
    Case("an account that is no URI is nobody's", R8657_3, (issue(f"{CA}; accounturi=acme"),), "unsatisfiable", R8657_3,
         record=0),
    Case("even if it were ours", R8657_3, (issue(f"{CA}; accounturi=acme"),), "unsatisfiable", R8657_3,
         terms={"account": "acme"}, record=0),
    Case("a URI may hold all of its signs", "RFC 3986 2",
         (issue(f"{CA}; accounturi=mMm5+.-:Mm5._~:/?#[]@!$&'()*+,=-%5C%c5"),), "other-account", R8657_3, record=0),
    Case("a URI's scheme may begin with a capital", "RFC 3986 3.1", (issue(f"{CA}; accounturi=Mm:m"),),
         "other-account", R8657_3, record=0),
    Case("a URI may end with its scheme", "RFC 3986 3.3", (issue(f"{CA}; accounturi=acct:"),), "other-account", R8657_3,
         record=0),
    Case("a URI's scheme begins with a letter", "RFC 3986 3.1", (issue(f"{CA}; accounturi=1cct:acme"),),
         "unsatisfiable", R8657_3, record=0),
    Case("an escape in a URI has two digits", "RFC 3986 2.1", (issue(f"{CA}; accounturi=acct:acme%4"),),
         "unsatisfiable", R8657_3, record=0),
    Case("quotation marks are no part of a URI", "RFC 3986 2", (issue(f'{CA}; accounturi="{ACCOUNT}"'),),
         "unsatisfiable", R8657_3, record=0),
    Case("two accounts in one property are nobody's", R8657_3,
         (issue(f"{CA}; accounturi={ACCOUNT}; accounturi={ACCOUNT}"),), "unsatisfiable", R8657_3, record=0),
    Case("whatever the case of their names", "RFC 5234 2.3",
         (issue(f"{CA}; accounturi={ACCOUNT}; AccountURI={ACCOUNT}"),), "unsatisfiable", R8657_3, record=0),
    Case("a parameter's name in another case restricts as well", "RFC 5234 2.3",
         (issue(f"{CA}; AccountURI=acct:globex@portal.example"),), "other-account", R8657_3, record=0),
    Case("our method is permitted", R8657_4, (issue(f"{CA}; validationmethods={DNS_CHANGE}"),), "named", R8659_4_2),
    Case("one of several methods is enough", R8657_4, (issue(f"{CA}; validationmethods={FILE},{DNS_CHANGE}"),), "named",
         R8659_4_2),
    Case("one of several methods that we used is enough", R8657_4, (issue(f"{CA}; validationmethods={FILE}"),), "named",
         R8659_4_2, terms={"methods": (DNS_CHANGE, FILE)}),
    Case("another method is not permitted", R8657_4, (issue(f"{CA}; validationmethods={FILE}"),), "other-method",
         R8657_4, record=0),
    Case("a longer label is another method", "BR 4.2.2.1.2", (issue(f"{CA}; validationmethods={DNS_CHANGE}7"),),
         "other-method", R8657_4, record=0),
    Case("no method at all is permitted by an empty list", R8657_4, (issue(f"{CA}; validationmethods="),),
         "other-method", R8657_4, record=0),
    Case("nothing proven satisfies no method", R8657_4, (issue(f"{CA}; validationmethods={DNS_CHANGE}"),), "unproven",
         R8657_4, terms={"methods": ()}, record=0),
    Case("and is not needed where there is no list", R8657_4, (issue(CA),), "named", R8659_4_2, terms={"methods": ()}),
    Case("nothing proven does not satisfy an empty list, either", R8657_4, (issue(f"{CA}; validationmethods="),),
         "unproven", R8657_4, terms={"methods": ()}, record=0),
    Case("a label is written in lower case", "BR 4.2.2.1.2", (issue(f"{CA}; validationmethods=CA-TBR-7"),),
         "other-method", R8657_4, record=0),
    Case("a method of ACME is none of ours", "BR 4.2.2.1.2", (issue(f"{CA}; validationmethods=dns-01"),),
         "other-method", R8657_4, record=0),
    Case("labels that nobody knows do no harm", R8657_4, (issue(f"{CA}; validationmethods=x-1,{DNS_CHANGE},Mm5,-"),),
         "named", R8659_4_2),
    *(
        Case(says, R8657_4, (issue(f"{CA}; validationmethods={value}"),), "unsatisfiable", R8657_4, record=0)
        for says, value in (
            ("an empty label among others spoils the list", f"{DNS_CHANGE},,{FILE}"),
            ("a comma at its end", f"{DNS_CHANGE},"),
            ("a comma at its beginning", f",{DNS_CHANGE}"),
            ("a sign that no label has, in a list", f"{DNS_CHANGE},a_b"),
        )
    ),
    Case("two lists in one property permit nothing", R8657_4,
         (issue(f"{CA}; validationmethods={DNS_CHANGE}; validationmethods={DNS_CHANGE}"),), "unsatisfiable", R8657_4,
         record=0),
    Case("the name of the list in another case restricts as well", "RFC 5234 2.3",
         (issue(f"{CA}; ValidationMethods={FILE}"),), "other-method", R8657_4, record=0),
    Case("account and method are permitted together", R8657_4,
         (issue(f"{CA}; accounturi={ACCOUNT}; validationmethods={DNS_CHANGE}"),), "named", R8659_4_2),
    Case("the right account with another method is not", R8657_4,
         (issue(f"{CA}; accounturi={ACCOUNT}; validationmethods={FILE}"),), "other-method", R8657_4, record=0),
    Case("nor another account with the right method", R8657_3,
         (issue(f"{CA}; accounturi=acct:globex@portal.example; validationmethods={DNS_CHANGE}"),), "other-account",
         R8657_3, record=0),
    Case("account and method of different properties do not add up", R8657_4,
         (issue(f"{CA}; accounturi={ACCOUNT}; validationmethods={FILE}"),
          issue(f"{CA}; accounturi=acct:globex@portal.example; validationmethods={DNS_CHANGE}")),
         "other-method", R8657_4, record=0),
    Case("a property without parameters permits beside one that does not", R8657_3,
         (issue(f"{CA}; accounturi=acct:globex@portal.example"), issue(CA)), "named", R8659_4_2),
    Case("a method that is not ours is said before an account that is not", R8657_4,
         (issue(f"{CA}; accounturi=acct:globex@portal.example"), issue(f"{CA}; validationmethods={FILE}")),
         "other-method", R8657_4, record=1),
    Case("that nothing is proven is said before an account that is not ours", R8657_4,
         (issue(f"{CA}; accounturi=acct:globex@portal.example"), issue(f"{CA}; validationmethods={FILE}")), "unproven",
         R8657_4, terms={"methods": ()}, record=1),
    Case("another account is said before what nobody satisfies", R8657_3,
         (issue(f"{CA}; accounturi=x"), issue(f"{CA}; accounturi=acct:globex@portal.example")), "other-account",
         R8657_3, record=1),
    Case("what nobody satisfies is said before others who are named", R8657_3,
         (issue("other.example"), issue(f"{CA}; accounturi=x")), "unsatisfiable", R8657_3, record=1, issuers=OTHER),
    Case("parameters restrict in issuewild, too", R8657_4, (wild(f"{CA}; validationmethods={FILE}"),), "other-method",
         R8657_4, name=WILD, record=0, governing="issuewild"),
    Case("parameters that nobody defined stand beside those that somebody did", R8659_4_2,
         (issue(f"{CA}; a=1; accounturi={ACCOUNT}; b=2"),), "named", R8659_4_2),
)  # fmt: skip

MAILBOXES = (
    Case("nobody has records", R9495_4, {}, "no-records", R8659_3, name=MAIL),
    Case("issuemail permits for mailboxes", R9495_4, (mail(CA),), "named", R9495_4, name=MAIL),
    Case("issuemail forbids for mailboxes", R9495_4, (mail("other.example"),), "others-named", R9495_4, name=MAIL,
         record=0, issuers=OTHER),
    Case("issuemail that names nobody forbids for mailboxes", R9495_4, (mail(";"),), "nobody-named", R9495_4, name=MAIL,
         record=0),
    Case("issue and issuewild say nothing about mailboxes", R9495_4, (issue("other.example"), wild(";")),
         "not-restricted", R9495_4, name=MAIL),
    Case("nor do they permit any", R9495_4, (mail("other.example"), issue(CA)), "others-named", R9495_4, name=MAIL,
         record=0, issuers=OTHER),
    Case("issuemail says nothing about hosts", R9495_4, (mail("other.example"),), "not-restricted", R8659_3),
    Case("nor about wildcards", R9495_4, (mail("other.example"), wild(CA)), "named", R8659_4_3, name=WILD,
         governing="issuewild"),
    Case("the case of issuemail means nothing", R8659_4_1, (issue("other.example", tag="IssueMail"),), "others-named",
         R9495_4, name=MAIL, record=0, issuers=OTHER),
    Case("the parent of a mailbox's domain counts", R9495_4, {"test": (mail("other.example"),)}, "others-named",
         R9495_4, name=MAIL, record=0, issuers=OTHER),
    Case("a mailbox's domain that cannot be looked up is no consent", R9495_4, {"example.test": "bad-answer"},
         "bad-answer", "", name=MAIL),
    Case("a critical property that nobody knows forbids for mailboxes", R8659_4_5, ((128, "foo", b"bar"), mail(CA)),
         "unknown-critical", R8659_4_5, name=MAIL, record=0),
    Case("issuemail has the grammar of issue", R9495_4, (mail(f"{CA}."),), "malformed", R9495_4, name=MAIL, record=0),
    Case("our account may have mailboxes", R9495_4, (mail(f"{CA}; accounturi={ACCOUNT}"),), "named", R9495_4,
         name=MAIL),
    Case("another account may not", R9495_4, (mail(f"{CA}; accounturi=acct:globex@portal.example"),), "other-account",
         R8657_3, name=MAIL, record=0),
    Case("a mailbox that was proven by no method of domains satisfies no list", R9495_4,
         (mail(f"{CA}; validationmethods={DNS_CHANGE}"),), "unproven", R8657_4, name=MAIL, terms={"methods": ()},
         record=0),
)  # fmt: skip

TABLE = CLIMBING + EXCUSES + SETS + CRITICAL + VALUES + PARAMETERS + MAILBOXES
