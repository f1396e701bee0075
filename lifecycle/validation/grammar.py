"""How the value of a CAA property is written (RFC 8659 4.2), and the values of its parameters (RFC 8657)."""

import re
from dataclasses import dataclass


class Malformed(ValueError):
    """A value outside the grammar.  It counts as one that names nobody, so a slip forbids and never permits."""


# RFC 8659 4.2.  Possessive where blanks meet blanks, since a stranger writes what is matched here.
_BLANK = rb"[ \t]*+"
_WORD = rb"[A-Za-z0-9](?:-*+[A-Za-z0-9])*+"
_PARAMETER = _WORD + _BLANK + rb"=" + _BLANK + rb"[\x21-\x3a\x3c-\x7e]*+"
_ISSUE_VALUE = re.compile(
    _BLANK + rb"(?P<issuer>" + _WORD + rb"(?:\." + _WORD + rb")*+)?" + _BLANK
    + rb"(?:;" + _BLANK + rb"(?P<parameters>" + _PARAMETER + _BLANK
    + rb"(?:;" + _BLANK + _PARAMETER + _BLANK + rb")*+)?)?"
)  # fmt: skip

# RFC 3986 3, as far as one line says it; what is compared is the whole text
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#[\]@!$&'()*+,=-]|%[0-9A-Fa-f]{2})*")
LABELS = re.compile(r"(?:[A-Za-z0-9-]+(?:,[A-Za-z0-9-]+)*)?")  # RFC 8657 4: none at all is well-formed


@dataclass(frozen=True, slots=True)
class IssueValue:
    """What the value of an `issue`, `issuewild` or `issuemail` property says."""

    issuer: str
    """Lower case; "" where it names nobody."""
    parameters: tuple[tuple[str, str], ...] = ()
    """In their order, with names in lower case: RFC 8657 writes them as literals of ABNF (RFC 5234 2.3)."""

    @classmethod
    def parsed(cls, value: bytes) -> "IssueValue":
        """Read a value; raises `Malformed` for what the grammar of RFC 8659 4.2 does not let through.

        A dot at the end of the name is such a thing, and a semicolon behind the last parameter.
        """
        match = _ISSUE_VALUE.fullmatch(value)
        if match is None:
            raise Malformed
        given = [part.partition(b"=") for part in match["parameters"].split(b";")] if match["parameters"] else []
        return cls(
            _text(match["issuer"] or b"").lower(),
            tuple((_text(name).lower(), _text(text)) for name, _equals, text in given),
        )

    def given(self, parameter: str) -> list[str]:
        """Every value that *parameter* is given; it may stand there more than once."""
        return [text for name, text in self.parameters if name == parameter]


def _text(value: bytes) -> str:
    """Without blanks around it; the grammar lets nothing through that is not ASCII."""
    return value.strip().decode("ascii")
