"""One framework for every wizard: steps in a list, answers in the draft.

An answer counts only while its form still accepts it, so that a changed policy, or a
changed earlier answer, reopens the right step by itself; there is no invalidation to
forget.  One may see any settled step and the first open one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.functional import Promise

from lifecycle.requests.models import CertificateRequest


class StepForm(forms.Form):
    """A step's question about a draft."""

    heading: str | Promise = ""  # where the question depends on the draft; else the step's own
    lead: str | Promise = ""

    def __init__(self, data: Any = None, files: Any = None, *, draft: CertificateRequest, **kwargs: Any) -> None:
        self.draft = draft
        super().__init__(data, files, **kwargs)

    @classmethod
    def stands(cls, draft: CertificateRequest, answer: Mapping[str, Any]) -> bool:  # noqa: ARG003 - of most, any does
        """Whether *answer* was given to the question as *draft* puts it now."""
        return True

    def plain_answers(self) -> dict[str, Any]:
        """What is kept of a valid form; fed to the form again it must be valid again.  Never a secret."""
        return dict(self.cleaned_data)


@dataclass(frozen=True, slots=True)
class Step:
    slug: str
    title: str | Promise
    form: type[StepForm]
    body: str
    concerns: Callable[[CertificateRequest], bool]
    heading: str | Promise = ""  # the question, where the title on the rail is too short for it
    lead: str | Promise = ""

    def is_settled(self, draft: CertificateRequest) -> bool:
        answer = draft.answers.get(self.slug)
        if answer is None or not self.form.stands(draft, answer):
            return False
        return self.form(as_posted(answer), draft=draft).is_valid()


@dataclass(frozen=True, slots=True)
class Stop:
    """A step as the rail shows it."""

    step: Step
    status: str


class Flow:
    """The steps that one draft needs, and how far it has come.  Settled once for the life of the object."""

    def __init__(self, draft: CertificateRequest, steps: tuple[Step, ...]) -> None:
        self.draft = draft
        self.steps = tuple(step for step in steps if step.concerns(draft))
        self._open = next((index for index, step in enumerate(self.steps) if not step.is_settled(draft)), None)

    @property
    def open_step(self) -> Step | None:
        """The first step still to be answered; None when the draft can be submitted."""
        return None if self._open is None else self.steps[self._open]

    def reach(self, slug: str) -> Step:
        """Return a step that the person may see: the one asked for if it is settled, or else the open one.

        Raises `LookupError` for a step that this draft does not have.
        """
        index = next((index for index, step in enumerate(self.steps) if step.slug == slug), None)
        if index is None:
            raise LookupError(slug)
        return self.steps[index if self._open is None else min(index, self._open)]

    def before(self, step: Step) -> Step | None:
        index = self.steps.index(step)
        return self.steps[index - 1] if index else None

    def after(self, step: Step) -> Step | None:
        """The step that comes next, even if it is settled: people look at every page once."""
        following = self.steps[self.steps.index(step) + 1 :]
        return following[0] if following else None

    def rail(self, here: Step) -> list[Stop]:
        reached = len(self.steps) if self._open is None else self._open
        return [
            Stop(step, "current" if step is here else "done" if index < reached else "ahead")
            for index, step in enumerate(self.steps)
        ]


def as_posted(answer: Mapping[str, Any]) -> QueryDict:
    """An answer from the draft in the shape a browser would post it: lists whole."""
    data = QueryDict(mutable=True)
    for name, value in answer.items():
        data.setlist(name, value if isinstance(value, list) else ["" if value is None else value])
    return data
