"""Certificates of other authorities, uploaded by programs."""

import base64
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives import serialization

from lifecycle.certificates.models import Certificate
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from tests.api.doors import refused, shut, stands
from tests.lifecycle.test_uploads import der, family, made, pem
from tests.world import issued

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "certificates/uploads"

__all__ = ["family"]


@pytest.fixture
def calls(program, petra):
    return program(petra)


def kept(tenant):
    with acting_for(tenant.pk):
        return list(Certificate.objects.all())


def test_what_was_found_is_shown_and_then_kept_once(calls, acme, petra, family):
    leaf, issuing, root = family
    body, key = {"text": pem(root, leaf, issuing).decode()}, str(uuid4())
    dry = calls.call("POST", PATH, body | {"dry_run": True})
    assert (dry.status_code, dry.json()["saved"], kept(acme)) == (200, False, [])
    first, again = (calls.call("POST", PATH, body, **{"Idempotency-Key": key}) for _ in range(2))
    assert (first.status_code, again.json(), first.json()["saved"]) == (201, first.json(), True)
    [row] = kept(acme)
    assert (row.owner, bytes(row.der)) == (petra.pk, der(leaf))
    [found] = first.json()["found"]
    assert found == dry.json()["found"][0] | {"certificate": str(row.pk)}
    assert (found["was_here"], len(found["chain"])) == (False, 2)
    assert calls.get(first["Location"])["fingerprint"] == found["fingerprint"]
    with acting_for(acme.pk):
        line = AuditEvent.objects.get(code="certificate:upload")
    assert line.facts["through_token"] == calls.secret[:12]
    anew = calls.call("POST", PATH, body)
    assert (anew.status_code, anew.json()["saved"], anew.json()["found"][0]["was_here"]) == (200, False, True)
    assert len(kept(acme)) == 1


def test_der_comes_in_base64(calls, acme, family):
    calls.post(PATH, {"text": base64.b64encode(der(family[0])).decode()})
    assert bytes(kept(acme)[0].der) == der(family[0])


def test_somebody_elses_certificate_is_known_and_not_shown(calls, program, acme, dan, ada):
    theirs = issued(dan, acme)
    body = {"text": pem(theirs.x509).decode()}
    [found] = calls.post(PATH, body)["found"]
    assert (found["was_here"], found["certificate"]) == (True, None)
    [found] = program(ada).post(PATH, body)["found"]
    assert found["certificate"] == str(theirs.pk)


@pytest.mark.parametrize(
    "text", ["", "nothing of the kind", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"]
)
def test_what_is_no_certificate_is_not_kept(calls, owner, text):
    shut(owner, calls, [("POST", PATH, {"text": text})], (422, "invalid"))


def test_a_private_key_is_refused_and_stays_nowhere(calls, owner):
    certificate, key = made()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    before = stands(owner)
    answer = calls.call("POST", PATH, {"text": pem(certificate).decode() + secret})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/text")
    assert secret.splitlines()[1] not in answer.content.decode()
    assert stands(owner) == before


def test_the_doors(program, globex, petra, vera, hank, family, owner):
    body = {"text": pem(family[0]).decode()}
    foreign = program(hank, tenant=globex)
    foreign.tenant = "acme"
    shut(owner, foreign, [("POST", PATH, body)], (401, "token-wanted"))
    shut(owner, program(petra, "certificates:read"), [("POST", PATH, body)], (403, "token-may-not"))
    shut(owner, program(vera), [("POST", PATH, body)], (403, "may-not"))
    assert refused(program(petra), "GET", PATH) == (405, "wrong-method")
