"""What the public standards say about a certificate, asked of pkilint.

pkilint takes a second to import, so it is imported when first needed or by `warm`.
Its walk asks every validator at every node whether it applies, some 5,300 times for one
certificate, although nearly all answers follow from the node's path and type alone.
`_Indexed` asks that question once per path and type.  It leaves out only validators
whose own criteria rule them out, and `tests/lifecycle/test_lints.py` compares its
findings with pkilint's over good and broken certificates.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pkilint.document import PDUNode
    from pkilint.validation import Validator, ValidatorContainer

_REMEMBERED = 4096  # paths; a certificate has some 150, and hostile ones shall not grow the table for ever


def rules_for(purposes: Iterable[str]) -> str:
    """Return which of `RULES` bind a certificate with these extended key usages: what it is for decides."""
    return next((PURPOSES[oid] for oid in purposes if oid in PURPOSES), "pkix")


def complain(rules: str, der: bytes) -> str | None:
    """Return every finding of severity error or worse in one sentence, or None."""
    found = [f"{code}: {message}" if message else code for severity, code, message in findings(rules, der) if severity]
    return "; ".join(found) or None


def findings(rules: str, der: bytes) -> list[tuple[bool, str, str | None]]:
    """Return what one of `RULES` finds: whether it is an error or worse, its code, its message."""
    from pkilint import loader, validation  # noqa: PLC0415 - a second's import, see above

    limit = validation.ValidationFindingSeverity.ERROR
    document = loader.load_der_certificate(der)
    return [
        (description.finding.severity <= limit, description.finding.code, description.message)
        for result in _validator(rules).validate(document.root)
        for description in result.finding_descriptions
    ]


def warm() -> None:
    for rules in RULES:
        _validator(rules)


@cache
def _validator(rules: str) -> "ValidatorContainer":
    return indexed(RULES[rules]())


def pkix() -> "ValidatorContainer":
    """RFC 5280 with the key rules every profile shares; for certificates of a private authority."""
    from pkilint.pkix import certificate, extension, name  # noqa: PLC0415

    decoders = certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS)
    return certificate.create_pkix_certificate_validator_container(decoders, _shared([], []))


def server() -> "ValidatorContainer":
    """`pkix`, but that a DNS name may begin with a star: servers have wildcards, and pkilint's syntax has none."""
    from pkilint.pkix import general_name  # noqa: PLC0415

    class _DnsNameOrWildcard(general_name.DomainNameSyntaxValidator):  # type: ignore[misc]  # pkilint has no types
        def __init__(self) -> None:
            super().__init__(predicate=general_name.create_generalname_type_predicate("dNSName"))

        def validate_value(self, node: "PDUNode") -> bool:
            name = str(node.pdu).removeprefix("*.")  # RFC 6125 6.4.3: the whole leftmost label, and only there
            return bool(general_name.validators_predicate(general_name.validators.domain, name))

    container = pkix()
    _exchange(container, general_name.GeneralNameDnsNameSyntaxValidator, _DnsNameOrWildcard())
    return container


def _exchange(container: "ValidatorContainer", old: type, new: "Validator") -> None:
    """Put *new* in the place of every validator of the type *old*, however deep it lies."""
    for index, validator in enumerate(container.validators):
        if type(validator) is old:
            container.validators[index] = new
        elif hasattr(validator, "validators"):
            _exchange(validator, old, new)


def smime() -> "ValidatorContainer":
    """RFC 5280 and those of the S/MIME Baseline Requirements that a private authority can keep.

    Left out: the reserved policy OIDs, which a private authority may not assert; the naming
    rules that hang on them; and the ban on internal domain names, which are what private
    authorities serve.
    """
    from pkilint.cabf import cabf_extension  # noqa: PLC0415
    from pkilint.cabf import smime as baseline  # noqa: PLC0415
    from pkilint.cabf.smime import smime_constants, smime_extension, smime_key  # noqa: PLC0415
    from pkilint.pkix import certificate  # noqa: PLC0415

    generation = smime_constants.Generation.MULTIPURPOSE
    extensions = [
        smime_extension.ExtendedKeyUsagePresenceValidator(),
        smime_extension.CabfSmimeKeyUsagePresenceValidator(),
        smime_extension.CrlDistributionPointPresenceValidator(),
        smime_extension.SubjectAlternativeNamePresenceValidator(),
        smime_extension.AllowedExtendedKeyUsageValidator(generation),
        smime_extension.AllowedKeyUsageValidator(generation),
        smime_extension.EndEntityValidator(),
        smime_extension.SubjectAlternativeNameContainsEmailAddressValidator(),
        smime_extension.SubjectAlternativeNameProhibitedGeneralNameTypesValidator(generation),
        smime_extension.CabfSmimeKeyUsageCriticalityValidator(),
        smime_extension.AllowedCrldpFullNameValidator(generation),
        smime_extension.AllowedAiaUriSchemeValidator(generation),
        smime_extension.QCStatementsCriticalityValidator(),
        cabf_extension.AuthorityInformationAccessContainsHttpUriValidator(),
        cabf_extension.CertificatePoliciesCriticalityValidator(),
        cabf_extension.CabfCrlDpCriticalityValidator(),
        cabf_extension.CabfAuthorityKeyIdentifierValidator(),
    ]
    validity = baseline.create_validity_validators(
        generation, certificate.certificate_validity.CertificateValidityPeriodStartRetriever()
    )
    algorithm = smime_key.SmimeAllowedSignatureAlgorithmEncodingValidator(path="certificate.tbsCertificate.signature")
    return certificate.create_pkix_certificate_validator_container(
        baseline.create_decoding_validators(), [*_shared(extensions, validity), algorithm]
    )


def _shared(extensions: list[Any], validity: list[Any]) -> list[Any]:
    from pkilint.cabf import cabf_extension, cabf_key  # noqa: PLC0415
    from pkilint.pkix import certificate  # noqa: PLC0415

    keys = [cabf_key.RsaKeyValidator(), cabf_key.EcdsaKeyValidator()]
    return [
        certificate.create_issuer_validator_container([]),
        certificate.create_validity_validator_container(validity),
        certificate.create_subject_validator_container([]),
        certificate.create_extensions_validator_container(
            [cabf_extension.CrlDpContainsHttpUriValidator(), *extensions]
        ),
        certificate.create_spki_validator_container(keys),
    ]


RULES: dict[str, "Callable[[], ValidatorContainer]"] = {"pkix": pkix, "smime": smime, "server": server}
PURPOSES = {  # RFC 5280 4.2.1.12
    "1.3.6.1.5.5.7.3.4": "smime",  # id-kp-emailProtection
    "1.3.6.1.5.5.7.3.1": "server",  # id-kp-serverAuth
}


def indexed(container: "ValidatorContainer") -> "ValidatorContainer":
    """Return a container that finds what *container* finds, in the same order."""
    from pkilint import validation  # noqa: PLC0415

    class _Indexed(validation.ValidatorContainer):  # type: ignore[misc]  # pkilint has no types
        def __init__(self, original: "ValidatorContainer") -> None:
            self.__dict__ = {**vars(original)}
            self.validators = [_index(validator) for validator in original.validators]
            self._candidates: dict[tuple[str, type], list[Validator]] = {}

        def _validate_rec(self, node: "PDUNode", results: list[Any]) -> None:
            key = (node.path, type(node.pdu))
            candidates = self._candidates.get(key)
            if candidates is None:
                candidates = [validator for validator in self.validators if _may_match(validator, node)]
                if len(self._candidates) < _REMEMBERED:
                    self._candidates[key] = candidates
            for validator in candidates:
                if validator.match(node):
                    result = validator.validate_wrapper(node)
                    if isinstance(result, list):
                        results += result
                    else:
                        results.append(result)
            for child in node.children.values():
                self._validate_rec(child, results)

    def _index(validator: "Validator") -> "Validator":
        plain = type(validator).validate is validation.ValidatorContainer.validate
        return _Indexed(validator) if plain else validator

    return _Indexed(container)


def _may_match(validator: "Validator", node: "PDUNode") -> bool:
    """Whether *validator* could match some node of this path and type; every `match` in pkilint begins with these."""
    # ruff: noqa: SLF001 - pkilint keeps its criteria to itself
    return (
        (validator._path is None or validator._path == node.path)
        and (validator._path_re is None or validator._path_re.match(node.path) is not None)
        and (validator._pdu_class is None or isinstance(node.pdu, validator._pdu_class))
    )
