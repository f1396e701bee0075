"""Moments at which people and browsers do wrong, for F12: each brings its scene to an end that the drill judges."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Locator, Page, expect

from lifecycle.certificates.models import Certificate
from lifecycle.requests.models import CertificateRequest
from portal.foundation.access.models import User
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests.journeys.hands import Mouse
from tests.journeys.live import Portal
from tests.journeys.test_journeys import until_ready
from tests.world import PASSWORD, csr, filled, issued, next_policies

FINAL = {"issue": "Request certificate", "rekey": "Rekey"}


@dataclass
class Wanted:
    """One request in one tab, and what its person means to get."""

    action: str
    page: Page
    draft: CertificateRequest
    name: str
    key: str
    source: Certificate | None

    @property
    def here(self) -> str:
        return f"/t/acme/requests/{self.draft.pk}/"

    def at_confirm(self) -> None:
        self.page.goto(f"{self.here}confirm/")
        self.agree()

    def agree(self) -> None:
        if self.source is not None:
            self.page.check("input[name=use_case][value=lost]")
        self.page.check("input[name=consent]")

    def final(self) -> Locator:
        return self.page.get_by_role("button", name=FINAL[self.action], exact=True)

    def change_the_key(self, page: Page) -> None:
        """Give another key, in *page*."""
        self.key = csr()
        page.goto(f"{self.here}key/")
        Mouse(page).write("Certificate signing request", self.key)
        page.get_by_role("button", name="Next").click()
        page.wait_for_url("**/confirm/")

    def confirmation(self) -> Locator:
        return self.page.get_by_role("button", name="Confirm:")


@dataclass
class Scene:
    """A person at a browser, in front of a portal of real processes."""

    portal: Portal
    acme: Tenant
    petra: User
    surf: Callable[..., Page]
    action: str
    script: bool
    policy: dict[str, Any]
    wanted: list[Wanted] = field(default_factory=list)

    def want(self, page: Page | None = None) -> Wanted:
        """Begin a request for a certificate of its own name; up to its last page all is answered."""
        self.petra.refresh_from_db()  # an earlier script signed in, which may write the password's hash anew
        page = page or self.surf(self.petra, script=self.script)
        name, key = f"Wish {self.draft_number()}", csr()
        source = None
        with self.portal.nobody_works():
            if self.action == "rekey":
                next_policies(self.acme, factor="")
                source = issued(self.petra, self.acme, name=name)
            next_policies(self.acme, **self.policy)
            draft = filled(self.petra, self.acme, name=name, csr=key, source=source)
        self.wanted.append(Wanted(self.action, page, draft, name, key, source))
        return self.wanted[-1]

    def draft_number(self) -> int:
        with acting_for(self.acme.pk):
            return CertificateRequest.objects.count()

    def at_the_code(self, wish: Wanted) -> str:
        """Ask for the code; return it."""
        self.portal.forget_mails()
        wish.at_confirm()
        wish.final().click()
        wish.page.wait_for_url("**/confirmation/")
        return self.portal.code()

    def sign_in_again(self, page: Page) -> None:
        hand = Mouse(page)
        hand.write("User name", self.petra.email)
        hand.write("Password", PASSWORD)
        hand.press("button", "Sign in")


def enter(wish: Wanted, code: str) -> None:
    Mouse(wish.page).write("6-digit code", code)
    wish.confirmation().click()


# --- moments: what goes wrong -----------------------------------------------------------------------------------------


def pressed_twice(scene: Scene) -> None:
    wish = scene.want()
    wish.at_confirm()
    wish.final().dblclick()


def gone_back_and_pressed_again(scene: Scene) -> None:
    wish = scene.want()
    wish.at_confirm()
    wish.final().click()
    until_ready(wish.page)
    wish.page.go_back()
    button = wish.page.locator(".question__on button.button--primary")
    if button.count():  # the browser kept the page as it was
        button.click()


def reloaded_again_and_again(scene: Scene) -> None:
    wish = scene.want()
    wish.at_confirm()
    wish.final().click()
    for _time in range(3):
        wish.page.reload()


def signed_out_before_the_last_step(scene: Scene) -> None:
    wish = scene.want()
    wish.at_confirm()
    at = wish.page.url
    wish.page.context.clear_cookies()
    wish.final().click()
    told = wish.page.get_by_text("What you can do").or_(wish.page.get_by_label("Password")).first
    expect(told).to_be_visible()
    wish.page.goto(at)
    scene.sign_in_again(wish.page)
    expect(wish.page).to_have_url(at)
    wish.agree()
    wish.final().click()


def pressed_in_two_tabs(scene: Scene) -> None:
    wish = scene.want()
    wish.at_confirm()
    twin = Wanted(wish.action, wish.page.context.new_page(), wish.draft, wish.name, wish.key, wish.source)
    twin.at_confirm()
    wish.final().click()
    twin.final().click()
    until_ready(twin.page)


def two_certificates_in_two_tabs(scene: Scene) -> None:
    one = scene.want()
    two = scene.want(one.page.context.new_page())
    one.at_confirm()
    two.at_confirm()
    two.final().click()
    one.page.bring_to_front()
    one.final().click()


def another_key_in_the_other_tab(scene: Scene) -> None:
    wish = scene.want()
    wish.at_confirm()
    wish.change_the_key(wish.page.context.new_page())
    wish.page.bring_to_front()
    wish.final().click()
    expect(wish.page.get_by_text("This request was changed in another window.").first).to_be_visible()
    assert scene.draft_number()
    wish.agree()
    wish.final().click()


def pressed_twice_at_the_code(scene: Scene) -> None:
    wish = scene.want()
    code = scene.at_the_code(wish)
    Mouse(wish.page).write("6-digit code", code)
    wish.confirmation().dblclick()


def gone_back_from_the_code_and_pressed_again(scene: Scene) -> None:
    wish = scene.want()
    code = scene.at_the_code(wish)
    wish.page.go_back()
    wish.agree()
    wish.final().click()
    wish.page.wait_for_url("**/confirmation/")
    enter(wish, code)


def signed_out_at_the_code(scene: Scene) -> None:
    wish = scene.want()
    code = scene.at_the_code(wish)
    at = wish.page.url
    wish.page.context.clear_cookies()
    wish.page.goto(at)
    scene.sign_in_again(wish.page)
    expect(wish.page).to_have_url(at)
    enter(wish, code)


def sent_again_after_the_code(scene: Scene) -> None:
    """Back from the finished request to the window with the code, and the same code once more."""
    wish = scene.want()
    code = scene.at_the_code(wish)
    at = wish.page.url
    enter(wish, code)
    until_ready(wish.page)
    wish.page.go_back()
    if wish.page.url == at and wish.confirmation().count():
        enter(wish, code)
        until_ready(wish.page)
    again = wish.page.context.new_page()
    again.goto(at)
    until_ready(again)


def another_key_after_the_code_was_sent(scene: Scene) -> None:
    """The code was for the old key, so it confirms nothing any more (0.R35)."""
    wish = scene.want()
    code = scene.at_the_code(wish)
    wish.change_the_key(wish.page.context.new_page())
    wish.page.bring_to_front()
    Mouse(wish.page).write("6-digit code", code)
    wish.confirmation().click()
    wish.page.wait_for_load_state()
    with acting_for(scene.acme.pk):
        assert CertificateRequest.objects.get(pk=wish.draft.pk).is_draft
    enter(wish, scene.at_the_code(wish))


def codes_in_two_tabs(scene: Scene) -> None:
    """Each code is for its own certificate: the other one's is a wrong one."""
    one = scene.want()
    two = scene.want(one.page.context.new_page())
    for_one, for_two = scene.at_the_code(one), scene.at_the_code(two)
    if for_one != for_two:  # one in a million
        enter(one, for_two)
        expect(one.page.get_by_text("This is not the code that we sent to you last.").first).to_be_visible()
    enter(two, for_two)
    until_ready(two.page)
    one.page.bring_to_front()
    enter(one, for_one)


Moment = Callable[[Scene], None]
PLAIN: tuple[Moment, ...] = (
    pressed_twice, gone_back_and_pressed_again, reloaded_again_and_again, signed_out_before_the_last_step,
    pressed_in_two_tabs, two_certificates_in_two_tabs, another_key_in_the_other_tab,
)  # fmt: skip
GUARDED: tuple[Moment, ...] = (
    pressed_twice_at_the_code, gone_back_from_the_code_and_pressed_again, signed_out_at_the_code,
    sent_again_after_the_code, another_key_after_the_code_was_sent, codes_in_two_tabs,
)  # fmt: skip
WITHOUT_SCRIPT = (pressed_twice, gone_back_and_pressed_again, signed_out_before_the_last_step, codes_in_two_tabs)
