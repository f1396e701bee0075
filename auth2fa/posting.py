"""What a form of these pages is bound to."""

from django.http import HttpRequest, QueryDict


def posted(request: HttpRequest) -> QueryDict | None:
    """Return what was posted, even if it is nothing; None for a mere look, which leaves a form unbound."""
    return request.POST if request.method == "POST" else None
