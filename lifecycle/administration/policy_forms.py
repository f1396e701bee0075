"""The matrix of a profile's policies as one form: a row of fields for each operation, named `rekey-factor`.

What the trust class settles has no field, so whatever is posted under its name counts for nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from auth2fa.registry import FACTORS, factor_of
from lifecycle.administration.wording import FACTOR_STRENGTH, FIELD_TITLES, OPERATIONS, Operation, factor_title
from lifecycle.policies.asks import CERTIFYING, Asks
from lifecycle.policies.limits import FACTOR_SETTINGS, LIMITS, Limit
from lifecycle.policies.standing import MOST_APPROVALS, OF_NAMES, Subject, settled

COLUMNS = ("enabled", "factor", "approvals", *OF_NAMES, "agreement")
"""Of the matrix; every other setting stands under it."""

_BIGGEST_VERSION = 2**31 - 1  # PostgreSQL's integer


@dataclass(frozen=True, slots=True)
class Cell:
    """A place in the matrix: a field, or what stands there with a lock."""

    label: str
    field: BoundField | None
    fixed: str = ""
    is_locked: bool = False  # by the trust class, and not because the operation does not ask for it
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    operation: Operation
    cells: list[Cell]
    seen: BoundField
    details: list[BoundField]
    set_details: int
    has_errors: bool


class PolicyForm(forms.Form):
    """Asks for every operation's `Asks`; *seen* are the versions that the person looks at."""

    def __init__(
        self,
        data: Any = None,
        *,
        subject: Subject,
        agreements: Mapping[str, str],
        current: Mapping[str, Asks],
        versions: Mapping[str, int],
    ) -> None:
        self.settled = {operation: settled(operation, subject) for operation in OPERATIONS}
        self.current = current
        initial: dict[str, Any] = {f"{name}-seen": versions.get(name, 0) for name in OPERATIONS}
        for name in OPERATIONS:
            asks = current.get(name, Asks())
            initial |= {f"{name}-{key}": value for key, value in asks.content().items() if not isinstance(value, dict)}
            initial[f"{name}-approvals"] = str(asks.approvals)  # as a form sends it, so that a change is one
            initial |= {f"{name}-{slug}": value for slug, value in {**asks.factor_settings, **asks.limits}.items()}
        super().__init__(data, initial=initial)
        for name in OPERATIONS:
            self._ask(name, agreements)

    def _ask(self, name: str, agreements: Mapping[str, str]) -> None:
        title = str(OPERATIONS[name].title)
        for field, control in self._controls(name, agreements):
            if field in self.settled[name]:
                continue
            control.label = f"{title}: {FIELD_TITLES[field]}"
            control.widget.attrs["aria-label"] = control.label
            if isinstance(control, forms.ChoiceField):
                bad = _("{what}: choose one of the options on the page.").format(what=control.label)
                control.error_messages |= {"invalid_choice": bad, "required": bad}
            self.fields[f"{name}-{field}"] = control
        for limit in (*FACTOR_SETTINGS, *LIMITS):
            self.fields[f"{name}-{limit.slug}"] = _number(limit, title)
        self.fields[f"{name}-seen"] = forms.IntegerField(
            min_value=0, max_value=_BIGGEST_VERSION, required=False, widget=forms.HiddenInput
        )

    @staticmethod
    def _controls(name: str, agreements: Mapping[str, str]) -> Iterator[tuple[str, forms.Field]]:
        yield "enabled", forms.BooleanField(required=False, widget=forms.CheckboxInput(attrs={"role": "switch"}))
        yield "factor", forms.ChoiceField(required=False, choices=[("", _("None")), *_factors()])
        numbers = [(str(n), str(n) if n else _("None")) for n in range(MOST_APPROVALS + 1)]
        yield "approvals", forms.ChoiceField(choices=numbers)
        if name in CERTIFYING:
            for toggle in OF_NAMES:
                yield toggle, forms.BooleanField(required=False, widget=forms.CheckboxInput(attrs={"role": "switch"}))
            yield (
                "agreement",
                forms.ChoiceField(required=False, choices=[("", _("Not asked")), *sorted(agreements.items())]),
            )

    @property
    def wanted(self) -> dict[str, Asks]:
        """What a valid form asks for, operation by operation."""
        return {name: self._asks(name) for name in OPERATIONS}

    @property
    def seen(self) -> dict[str, int]:
        return {name: self.cleaned_data.get(f"{name}-seen") or 0 for name in OPERATIONS}

    def _asks(self, name: str) -> Asks:
        given = {**self.cleaned_data, **{f"{name}-{field}": value for field, value in self.settled[name].items()}}
        factor = given.get(f"{name}-factor", "")
        takes = _settings_of(factor)
        return Asks(
            enabled=bool(given.get(f"{name}-enabled")),
            factor=factor,
            factor_settings=_set(given, name, [limit for limit in FACTOR_SETTINGS if limit.slug in takes]),
            agreement=given.get(f"{name}-agreement", ""),
            proves_control=bool(given.get(f"{name}-proves_control")),
            checks_caa=bool(given.get(f"{name}-checks_caa")),
            corroborates=bool(given.get(f"{name}-corroborates")),
            approvals=int(given.get(f"{name}-approvals") or 0),
            limits=_set(given, name, LIMITS),
        )

    def lines(self) -> list[Line]:
        """The rows of the matrix, each with the fields that stand under it."""
        return [self._line(operation) for operation in OPERATIONS.values()]

    def _line(self, operation: Operation) -> Line:
        name = operation.slug
        details = [self[f"{name}-{limit.slug}"] for limit in (*FACTOR_SETTINGS, *LIMITS)]
        return Line(
            operation,
            [self._cell(name, column) for column in COLUMNS],
            self[f"{name}-seen"],
            details,
            sum(each.value() not in {None, ""} for each in details),
            any(each.errors for each in details) if self.is_bound else False,
        )

    def _cell(self, name: str, column: str) -> Cell:
        label, key = str(FIELD_TITLES[column]), f"{name}-{column}"
        if key in self.fields:
            return Cell(label, self[key], changed=self.is_bound and key in self.changed_data)
        if self.settled[name].get(column):
            return Cell(label, None, _("Always"), is_locked=True)
        never = column == "enabled"
        return Cell(label, None, _("Never") if never else _("Not asked"), is_locked=never)


def _factors() -> list[tuple[str, str]]:
    return [
        (slug, f"{factor_title(slug)} ({FACTOR_STRENGTH[slug][0]})" if slug in FACTOR_STRENGTH else factor_title(slug))
        for slug in FACTORS
    ]


def factor_reasons() -> list[tuple[str, Any]]:
    """Why one second factor is stronger than another, for those that can be chosen."""
    return [(factor_title(slug), why) for slug, (_word, why) in FACTOR_STRENGTH.items() if slug in FACTORS]


def _settings_of(factor: str) -> set[str]:
    """Which settings a factor takes: the fields of its limits."""
    return {field.name for field in fields(type(factor_of(factor, {}).limits))} if factor in FACTORS else set()


def _set(given: Mapping[str, Any], name: str, limits: Any) -> dict[str, int]:
    return {limit.slug: value for limit in limits if (value := given.get(f"{name}-{limit.slug}")) is not None}


def _number(limit: Limit, operation: str) -> forms.IntegerField:
    said = gettext_lazy("{operation}: {what} is a whole number from {least} to {most} ({unit}), or empty.")
    said = str(said).format(  # type: ignore[assignment]
        operation=operation, what=limit.label, least=limit.least, most=limit.most, unit=limit.unit
    )
    return forms.IntegerField(
        label=_("{what}, in {unit}").format(what=limit.label, unit=limit.unit),
        required=False,
        min_value=limit.least,
        max_value=limit.most,
        help_text=str(limit.hint),
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "class": "input--half"}),
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), said),
    )
