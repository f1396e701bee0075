"""What the demo's name server says of `demo.test`, for everybody to read and change.  Exists in the demo only."""

from pathlib import Path

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.config import config
from portal.demo import zone
from portal.foundation.tenancy.errors import NotHere

_MOST_TEXT = 4000


class RecordsForm(forms.Form):
    records = forms.CharField(
        label=gettext_lazy("CAA records"),
        help_text=gettext_lazy(
            "One a line: flags, tag and the value in quotation marks. Nothing at all means no records."
        ),
        required=False,
        max_length=_MOST_TEXT,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "class": "input--code"}),
    )

    def clean_records(self) -> tuple[str, ...]:
        lines = [line for line in self.cleaned_data["records"].splitlines() if line.strip()]
        if len(lines) > zone.MOST:
            raise ValidationError(_("{most} records are the most that a name here may have.").format(most=zone.MOST))
        records = []
        for line in lines:
            record = zone.parsed(line)
            if record is None:
                raise ValidationError(
                    _("“{line}” is no CAA record. Write it like {example}.").format(
                        line=line.strip()[:80], example='0 issue "ca.acme.example"'
                    )
                )
            records.append(record)
        return tuple(records)


def names(request: HttpRequest) -> HttpResponse:
    """The zone; a POST puts it back to how it started."""
    file = _file()
    if request.method == "POST":
        zone.put_back(file)
        return redirect("demo-dns")
    found = zone.read(file)
    return render(request, "demo/dns.html", {"names": found, "origin": zone.ORIGIN, "changed": found != zone.START})


def name(request: HttpRequest, label: str) -> HttpResponse:
    """One name's CAA records, to be replaced."""
    file = _file()
    wanted = next((each for each in zone.read(file) if each.label == label and not each.fault and not each.alias), None)
    if wanted is None:
        raise NotHere
    form = RecordsForm(initial={"records": "\n".join(wanted.caa)})
    if request.method == "POST":
        form = RecordsForm(request.POST)
        if form.is_valid():
            zone.replace(file, label, form.cleaned_data["records"])
            return redirect("demo-dns")
    return render(request, "demo/dns_name.html", {"name": wanted, "form": form}, status=422 if form.is_bound else 200)


def _file() -> Path:
    """The zone's file; a demo with a resolver of its operator's has none."""
    if not config.demo_zone:
        raise NotHere
    return Path(config.demo_zone)
