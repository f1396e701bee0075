"""Pressing a button of a form in which several boxes have one name: `browsing.Page.press` keeps one of them."""

from typing import Any
from urllib.parse import urldefrag, urljoin

from tests.web.browsing import Page, _controls, _standing, said


def press(page: Page, words: str, **answers: Any) -> Page:
    """Press the button that reads *words*; an answer is a text, a list of boxes that are ticked, or True and False."""
    pressed = next(button for button in page.all("button") if said(button).startswith(words))
    form = page._form_of(pressed)
    controls = _controls(form)
    unknown = set(answers) - {control.get("name") for control in controls}
    assert not unknown, f"the form does not ask for {sorted(unknown)}"
    data: dict[str, list[str]] = {}
    for control in controls:
        name = control.get("name", "")
        if name in answers:
            answer = answers[name]
            data[name] = (
                answer if isinstance(answer, list) else ["on"] if answer is True else [answer] if answer else []
            )
        elif (standing := _standing(control)) is not None:
            data.setdefault(name, []).append(standing)
    if name := pressed.get("name"):
        data[name] = [pressed.get("value", "")]
    target = urldefrag(urljoin(page.address, form.get("action") or page.address)).url
    headers = {"Referer": "http://testserver/"}
    return page.visitor._shown(page.visitor.client.post(target, data, headers=headers), target)
