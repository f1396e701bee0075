"""What the demo's name server says of its names, for everybody to read and change.  Exists in the demo only."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.config import config
from portal.demo import records, zone
from portal.demo.errors import NamesUnanswered
from portal.demo.stage import Stage, read
from portal.foundation.tenancy.errors import NotHere

_MOST_TEXT = 12_000
_LIKE = {
    "CAA": '0 issue "ca.acme.example"',
    "TXT": "portal-verification=7g2k",
    "CNAME": f"www.{zone.ORIGIN}",
    "A": zone.WEB,
}


class RecordsForm(forms.Form):
    """Every record of one name."""

    caa = forms.CharField(
        label=gettext_lazy("CAA records"),
        help_text=gettext_lazy(
            "One a line: flags, tag and the value in quotation marks. Nothing at all means no records."
        ),
        required=False,
        max_length=_MOST_TEXT,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "input--code"}),
    )
    txt = forms.CharField(
        label=gettext_lazy("TXT records"),
        help_text=gettext_lazy("One a line, the bare text: quotation marks that you write here become part of it."),
        required=False,
        max_length=_MOST_TEXT,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "input--code"}),
    )
    alias = forms.CharField(
        label=gettext_lazy("Alias of (CNAME)"),
        help_text=gettext_lazy("Another name. A name that is an alias has no other records."),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={"spellcheck": "false", "class": "input--code"}),
    )
    address = forms.BooleanField(label=gettext_lazy("The name leads to the demo's web server"), required=False)

    @classmethod
    def showing(cls, name: zone.Name) -> "RecordsForm":
        return cls(
            initial={
                "caa": "\n".join(name.caa),
                "txt": "\n".join(name.records.get("TXT", ())),
                "alias": "".join(name.records.get("CNAME", ())),
                "address": "A" in name.records,
            }
        )

    def clean_caa(self) -> tuple[str, ...]:
        return _lines("CAA", self.cleaned_data["caa"])

    def clean_txt(self) -> tuple[str, ...]:
        return _lines("TXT", self.cleaned_data["txt"])

    def clean_alias(self) -> tuple[str, ...]:
        return _lines("CNAME", self.cleaned_data["alias"])

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if given.get("alias") and (given.get("caa") or given.get("txt") or given.get("address")):
            # RFC 1034 3.6.2
            raise ValidationError(_("A name that is an alias can have no other records. Take them away, or the alias."))
        return given

    def records(self) -> records.Records:
        given = self.cleaned_data
        found = {"CAA": given["caa"], "TXT": given["txt"], "CNAME": given["alias"]}
        return found | {"A": (zone.WEB,) if given["address"] else ()}


class RecordForm(forms.Form):
    """One record more, of a name that may be new."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("All of it, such as _portal-validation.demo.test."),
        max_length=255,
        widget=forms.TextInput(attrs={"spellcheck": "false", "class": "input--code", "autocapitalize": "none"}),
    )
    kind = forms.ChoiceField(label=gettext_lazy("Type"), choices=[(kind, kind) for kind in zone.KINDS], initial="TXT")
    value = forms.CharField(
        label=gettext_lazy("Value"),
        help_text=gettext_lazy("The bare text of a TXT record: quotation marks that you write here become part of it."),
        max_length=1000,
        widget=forms.TextInput(attrs={"spellcheck": "false", "class": "input--code"}),
    )

    def clean_name(self) -> str:
        full = str(self.cleaned_data["name"]).strip().lower().removesuffix(".")
        if zone.zone_of(full) is None:
            raise ValidationError(
                _("“{name}” is no name that can be changed here. They end with {first} or {second}.").format(
                    name=full[:80], first=zone.ORIGIN, second=zone.UNSIGNED
                )
            )
        return full

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if given.get("kind") and given.get("value"):
            try:
                given["value"] = _record(given["kind"], given["value"])
            except ValidationError as fault:
                self.add_error("value", fault)
            if given["kind"] == "CNAME" and given.get("name") in zone.ZONES:
                self.add_error("kind", _("The name of the zone itself cannot be an alias."))  # RFC 1912 2.4
        return given


def names(request: HttpRequest) -> HttpResponse:
    """The zones; a POST adds one record, or puts everything back to how it started."""
    with _answering() as stage:
        form = RecordForm()
        if request.method == "POST" and "start" in request.POST:
            records.put_back(stage)
            return redirect("demo-dns")
        if request.method == "POST":
            form = RecordForm(request.POST)
            if form.is_valid():
                records.add(stage, form.cleaned_data["name"], form.cleaned_data["kind"], form.cleaned_data["value"])
                return redirect("demo-dns")
        shown = {
            "names": [name for name in records.every(stage) if name.lines or name.fault],
            "changed": records.changed(stage),
            "form": form,
            "origin": zone.ORIGIN,
            "unsigned": zone.UNSIGNED,
        }
    return render(request, "demo/dns.html", shown, status=422 if form.is_bound else 200)


def name(request: HttpRequest, full: str) -> HttpResponse:
    """One name's records, to be replaced."""
    if zone.zone_of(full) is None:
        raise NotHere
    with _answering() as stage:
        wanted = records.of(stage, full)
        if not wanted.lines:
            raise NotHere
        form = RecordsForm.showing(wanted)
        if request.method == "POST":
            form = RecordsForm(request.POST)
            if form.is_valid():
                records.replace(stage, full, form.records())
                return redirect("demo-dns")
    return render(request, "demo/dns_name.html", {"name": wanted, "form": form}, status=422 if form.is_bound else 200)


@contextmanager
def _answering() -> Iterator[Stage]:
    """Say so where the name server does not answer; a demo with a resolver of its operator's has none."""
    stage = read(config.demo_zone)
    if stage is None:
        raise NotHere
    try:
        yield stage
    except records.Unanswered as fault:
        raise NamesUnanswered from fault


def _lines(kind: str, text: str) -> tuple[str, ...]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > zone.MOST:
        raise ValidationError(_("{most} records are the most that a name here may have.").format(most=zone.MOST))
    return tuple(dict.fromkeys(_record(kind, line) for line in lines))


def _record(kind: str, line: str) -> str:
    record = zone.parsed(kind, line)
    if record is None:
        raise ValidationError(
            _("“{line}” is no {kind} record. Write it like {example}.").format(
                line=line.strip()[:80], kind=kind, example=_LIKE[kind]
            )
        )
    return record
