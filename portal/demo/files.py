"""What the demo's own web server shows under its names, for everybody to put there.  Exists in the demo only."""

from pathlib import Path

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.config import config
from portal.demo import documents, zone
from portal.demo.documents import Document
from portal.demo.stage import read
from portal.foundation.tenancy.errors import NotHere


class FileForm(forms.Form):
    address = forms.CharField(
        label=gettext_lazy("Address"),
        help_text=gettext_lazy("All of it, such as http://www.demo.test/.well-known/pki-validation/proof.txt."),
        max_length=500,
        widget=forms.TextInput(attrs={"spellcheck": "false", "class": "input--code", "autocapitalize": "none"}),
    )
    text = forms.CharField(
        label=gettext_lazy("Content"),
        max_length=documents.MOST_TEXT,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "input--code"}),
    )

    def clean_address(self) -> tuple[str, str]:
        address = str(self.cleaned_data["address"]).strip()
        host, slash, path = address.partition("://")[2].partition("/")
        host, file = host.lower().removesuffix(":80"), f"{slash}{path}".removeprefix(documents.PREFIX)
        if not address.lower().startswith("http://") or not path or not documents.usable(host, file):
            raise ValidationError(
                _("“{address}” is no address that can be used here. It begins like {example}.").format(
                    address=address[:80], example=f"http://www.{zone.ORIGIN}{documents.PREFIX}"
                )
            )
        return host, file

    def document(self) -> Document:
        host, file = self.cleaned_data["address"]
        return Document(host, file, self.cleaned_data["text"])


def files(request: HttpRequest) -> HttpResponse:
    """Every file; a POST puts one there or, with *remove*, takes one away."""
    folder, form = _folder(), FileForm()
    there = documents.every(folder)
    if request.method == "POST" and "remove" in request.POST:
        for document in there:
            if document.address == request.POST["remove"]:
                documents.remove(folder, document)
        return redirect("demo-files")
    if request.method == "POST":
        form = FileForm(request.POST)
        if form.is_valid():
            _put(folder, form, there)
        if form.is_valid():
            return redirect("demo-files")
    return render(request, "demo/files.html", {"files": there, "form": form}, status=422 if form.is_bound else 200)


def _put(folder: Path, form: FileForm, there: list[Document]) -> None:
    document = form.document()
    if len(there) >= documents.MOST and document.address not in {each.address for each in there}:
        form.add_error(None, _("{most} files are the most that fit here. Remove one.").format(most=documents.MOST))
        return
    documents.put(folder, document)


def _folder() -> Path:
    """Where the files are; a demo with a resolver of its operator's has no web server either."""
    stage = read(config.demo_zone)
    if stage is None:
        raise NotHere
    return Path(stage.files)
