"""Five perspectives, and one that can be told something else: who sees what, for everybody to try."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.config import config
from portal.demo import zone
from portal.demo.stage import Stage, read
from portal.foundation.tenancy.errors import NotHere


def perspectives(request: HttpRequest) -> HttpResponse:
    """Where they stand; a POST begins to lie to one of them, or ends it."""
    stage = _stage()
    if request.method == "POST":
        if request.POST.get("lie") == "1":
            stage.lie.touch()
        else:
            stage.lie.unlink(missing_ok=True)
        return redirect("demo-perspectives")
    shown = {
        "places": [{"name": name, "lied_to": name == stage.liar} for name in stage.perspectives],
        "liar": stage.liar,
        "lying": stage.lie.exists(),
        "signed": zone.ORIGIN,
        "unsigned": zone.UNSIGNED,
    }
    return render(request, "demo/perspectives.html", shown)


def _stage() -> Stage:
    """The stage of a demo that has perspectives of its own."""
    stage = read(config.demo_zone)
    if stage is None or not stage.liar:
        raise NotHere
    return stage
