"""The framework of the wizards: which step is open, which may be seen, and what an answer is worth later."""

from types import SimpleNamespace

import pytest
from django import forms

from lifecycle.wizards.flow import Flow, Step, StepForm, as_posted


class WordForm(StepForm):
    word = forms.CharField(max_length=10)

    def clean_word(self):
        if self.cleaned_data["word"] in self.draft.forbidden:
            raise forms.ValidationError("not any more")
        return self.cleaned_data["word"]


def step(slug, concerns=lambda _draft: True):
    return Step(slug, slug.title(), WordForm, "wizard/steps/plain.html", concerns)


STEPS = (step("one"), step("two", lambda draft: draft.long), step("three"))


def draft(*answered, long=True, forbidden=()):
    """A draft as far as the framework looks at it."""
    return SimpleNamespace(answers={slug: {"word": slug} for slug in answered}, long=long, forbidden=forbidden)


def slugs(steps):
    return [each.slug for each in steps]


@pytest.mark.parametrize(("long", "expected"), [(True, ["one", "two", "three"]), (False, ["one", "three"])])
def test_a_flow_has_the_steps_that_concern_the_draft(long, expected):
    assert slugs(Flow(draft(long=long), STEPS).steps) == expected


@pytest.mark.parametrize(
    ("answered", "open_step", "reach"),
    [
        # answered               open     what one sees who asks for one, two, three
        ((), "one", {"one": "one", "two": "one", "three": "one"}),
        (("one",), "two", {"one": "one", "two": "two", "three": "two"}),
        (("two",), "one", {"one": "one", "two": "one", "three": "one"}),
        (("one", "two"), "three", {"one": "one", "two": "two", "three": "three"}),
        (("one", "two", "three"), None, {"one": "one", "two": "two", "three": "three"}),
        (("one", "three"), "two", {"one": "one", "two": "two", "three": "two"}),
    ],
)
def test_one_reaches_settled_steps_and_the_open_one(answered, open_step, reach):
    flow = Flow(draft(*answered), STEPS)
    assert (flow.open_step.slug if flow.open_step else None) == open_step
    assert {asked: flow.reach(asked).slug for asked in reach} == reach


def test_a_step_that_is_not_there_cannot_be_reached():
    flow = Flow(draft("one", long=False), STEPS)
    for slug in ("two", "four", ""):
        with pytest.raises(LookupError):
            flow.reach(slug)


def test_an_answer_counts_only_while_its_form_accepts_it():
    assert Flow(draft("one", "two", "three"), STEPS).open_step is None
    assert Flow(draft("one", "two", "three", forbidden={"two"}), STEPS).open_step.slug == "two"


@pytest.mark.parametrize("answer", [{}, {"word": ""}, {"word": None}, {"word": "x" * 11}, {"other": "one"}])
def test_an_answer_from_another_time_reopens_its_step(answer):
    changed = draft("one", "two", "three")
    changed.answers["two"] = answer
    assert Flow(changed, STEPS).open_step.slug == "two"


def test_the_rail_says_what_is_done_where_one_is_and_what_lies_ahead():
    flow = Flow(draft("one", "two"), STEPS)
    assert [stop.status for stop in flow.rail(flow.steps[0])] == ["current", "done", "ahead"]
    assert [stop.status for stop in flow.rail(flow.steps[2])] == ["done", "done", "current"]


def test_back_and_next_follow_the_flow():
    flow = Flow(draft(long=False), STEPS)
    first, last = flow.steps
    assert (flow.before(first), flow.after(first)) == (None, last)
    assert (flow.before(last), flow.after(last)) == (first, None)


def test_an_answer_is_posted_again_as_it_was():
    posted = as_posted({"one": ["a", "b"], "two": None, "three": "{x}", "four": 0})
    assert posted.getlist("one") == ["a", "b"]
    assert posted.dict() == {"one": "b", "two": "", "three": "{x}", "four": 0}
