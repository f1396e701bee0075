"""Making authorities: `manage.py create_authority` against the real token, and their public certificates."""

import io
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.management import CommandError, call_command

from lifecycle.authorities.keys import KEY_KINDS, kind_of
from lifecycle.authorities.models import CertificateAuthority, CrlShard
from lifecycle.authorities.shards import BLOCK, _reserved, next_place
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from tests.world import issued, serving


def create(**options):
    given = {"tenant": "acme", "organization": "Acme Industries", "country": "CZ", "stdout": io.StringIO(), **options}
    with serving("owner"):
        call_command("create_authority", **given)


def rows(tenant):
    with acting_for(tenant.pk):
        return {(row.slug, row.version): row for row in CertificateAuthority.objects.select_related("parent")}


@pytest.mark.parametrize("key_type", sorted(KEY_KINDS))
def test_a_root_and_its_subordinate_are_made_with_keys_in_the_token(acme, token, key_type, tmp_path):
    create(slug="paper-root", name="Paper Root", key_type=key_type)
    create(slug="paper", name="Paper CA", key_type=key_type, parent="paper-root", days=900)
    made = rows(acme)
    root, issuing = made["paper-root", 1].certificate, made["paper", 1].certificate
    assert made["paper", 1].parent_id == made["paper-root", 1].pk
    for name, certificate in (("root", root), ("issuing", issuing)):
        (tmp_path / name).write_bytes(certificate.public_bytes(Encoding.PEM))
        assert kind_of(certificate.public_key()) is KEY_KINDS[key_type]
        assert isinstance(certificate.signature_hash_algorithm, KEY_KINDS[key_type].digest)
    subprocess.run(["openssl", "verify", "-CAfile", tmp_path / "root", tmp_path / "issuing"], check=True)
    pointers = issuing.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert next(iter(pointers)).access_location.value.endswith("/pki/acme/paper-root-1.cer")
    assert issuing.extensions.get_extension_for_class(x509.CRLDistributionPoints)
    with acting_for(acme.pk):
        assert AuditEvent.objects.filter(code="authority:create").count() == 2


def test_the_same_slug_again_is_a_next_version_and_the_old_one_stays(acme, token):
    create(slug="paper", name="Paper CA")
    before = rows(acme)["paper", 1]
    create(slug="paper", name="Paper CA")
    after = rows(acme)
    assert after["paper", 1].certificate_der == before.certificate_der
    assert after["paper", 2].key_id != before.key_id


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tenant": "nobody", "slug": "x", "name": "X"}, "no tenant"),
        ({"slug": "x", "name": "X", "parent": "nobody"}, "no authority"),
        ({"slug": "x", "name": "X", "parent": "issuing"}, "allows no authority below"),
        ({"slug": "x", "name": "X", "parent": "root", "days": 9999}, "cannot outlive"),
    ],
)
def test_what_cannot_be_made_is_refused_with_a_sentence_and_no_row(acme, token, options, words):
    before = rows(acme).keys()
    with pytest.raises(CommandError, match=words):
        create(**options)
    assert rows(acme).keys() == before


def test_anybody_can_fetch_an_issuers_certificate_where_certificates_point_to(client, acme, petra):
    certificate = issued(petra, acme).x509
    pointers = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    address = pointers[0].access_location.value
    answer = client.get("/" + address.split("/", 3)[3])
    assert answer["Content-Type"] == "application/pkix-cert"
    certificate.verify_directly_issued_by(x509.load_der_x509_certificate(answer.content))


@pytest.mark.parametrize("path", ["/pki/acme/issuing-9.cer", "/pki/nobody/issuing-1.cer", "/pki/globex/paper-1.cer"])
def test_an_authority_that_is_not_there_is_not_found(client, acme, path):
    assert client.get(path).status_code == 404


def test_a_full_shard_is_followed_by_the_next_one(acme):
    issuing = rows(acme)["issuing", 1]
    with serving("signing"):
        first = next_place(acme.pk, issuing.pk)
        with acting_for(acme.pk):
            CrlShard.objects.filter(pk=first.shard).update(handed_out=CrlShard.FULL)
        _reserved.clear()
        second = next_place(acme.pk, issuing.pk)
        places = {next_place(acme.pk, issuing.pk) for _ in range(BLOCK - 1)}
    assert (first.number, second.number) == (1, 2)
    assert places == {second}
    with serving("signing"), acting_for(acme.pk):
        assert CrlShard.objects.get(pk=second.shard).handed_out == BLOCK
