"""What a program reads of its own token."""

from datetime import timedelta

from portal.foundation import clock
from portal.foundation.access.permissions import Permission
from tests.api.conftest import Program, token_of


def test_it_says_whose_it_is_and_what_it_is_good_for_now(program, petra, acme):
    read = program(petra, "certificates:read").get("token")
    assert read["tenant"] == {"slug": "acme", "name": acme.name}
    assert read["person"] == {"id": str(petra.pk), "name": petra.name, "email": petra.email}
    assert read["scopes"] == ["certificates:read"]
    # what the scope has and a subscriber does not hold is left out
    assert read["permissions"] == sorted({Permission.TENANT_ENTER, Permission.CERTIFICATE_READ})
    assert clock.now() < clock.now().fromisoformat(read["expires_at"]) <= clock.now() + timedelta(days=30)


def test_it_says_nothing_of_the_secret(petra, acme):
    secret = token_of(petra, acme)
    answer = Program("acme", secret).call("GET", "token")
    prefix = answer.json()["prefix"]
    assert secret.startswith(prefix)
    assert secret not in answer.content.decode()
    assert secret.removeprefix(prefix) not in answer.content.decode()


def test_no_token_and_another_tenants_are_answered_alike(petra, hank, acme, globex):
    answers = [
        Program("acme", "").call("GET", "token"),
        Program("acme", "cpt_unknown").call("GET", "token"),
        Program("globex", token_of(petra, acme)).call("GET", "token"),
        Program("acme", token_of(hank, globex)).call("GET", "token"),
        Program("nowhere", token_of(petra, acme)).call("GET", "token"),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(401, "token-wanted")}
