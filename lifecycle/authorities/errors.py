"""Why a certificate signing request is not taken: one refusal for every check (1.R18)."""

from django.utils.translation import gettext_lazy as _

from portal.foundation.errors import Refusal


class CsrEmpty(Refusal):
    code = "csr-empty"
    message = _("Nothing was pasted or uploaded.")
    next_step = _("Paste the certificate signing request (CSR), or choose its file.")


class CsrTooLarge(Refusal):
    code = "csr-too-large"
    message = _("This is {kilobytes} KB long; a certificate signing request (CSR) has at most {limit} KB.")
    next_step = _("Choose the file with the CSR alone.")


class CsrUnreadable(Refusal):
    code = "csr-unreadable"
    message = _("This cannot be read as a certificate signing request (CSR).")
    next_step = _(
        "Paste the whole text, from “-----BEGIN CERTIFICATE REQUEST-----” to “-----END CERTIFICATE REQUEST-----”, "
        "or upload the file your program wrote."
    )


class CsrCutOff(Refusal):
    code = "csr-cut-off"
    message = _("The end of this certificate signing request (CSR) is missing.")
    next_step = _("Copy the whole text, to the last line “-----END CERTIFICATE REQUEST-----”.")


class SeveralCsrs(Refusal):
    code = "csr-several"
    message = _("There are {count} certificate signing requests (CSRs) here.")
    next_step = _("Paste one of them; each certificate has a request of its own.")


class NotACsr(Refusal):
    code = "csr-is-something-else"
    message = _("This is {what}, not a certificate signing request (CSR).")
    next_step = _("Look for the text that begins with “-----BEGIN CERTIFICATE REQUEST-----”.")


class PrivateKeyGiven(Refusal):
    code = "csr-is-private-key"
    message = _("This is {what}. It was not stored, but a private key must never leave the machine it was made on.")
    next_step = _("Consider this key exposed: make a new key and a new certificate signing request (CSR) with it.")


class CsrSignatureBroken(Refusal):
    """No proof of possession: whoever made the CSR need not hold the private key (RFC 2986 4.2)."""

    code = "csr-signature-broken"
    message = _("The request's own signature does not match its key, so it does not prove that you hold the key.")
    next_step = _("Make the certificate signing request (CSR) again; do not edit it afterwards.")


class CsrSignatureWeak(Refusal):
    code = "csr-signature-weak"
    message = _("The request is signed with {algorithm}, which can be forged.")
    next_step = _("Make the certificate signing request (CSR) again with SHA-256.")


class CsrSignatureUnsupported(Refusal):
    code = "csr-signature-unsupported"
    message = _("The request is signed in a way that cannot be checked here.")
    next_step = _("Make the certificate signing request (CSR) again with SHA-256.")


class KeyUnsupported(Refusal):
    code = "csr-key-unsupported"
    message = _("The request's key is of a kind ({found}) that no certificate is issued for.")
    next_step = _("Make a new key of one of these kinds: {allowed}.")


class KeyInvalid(Refusal):
    code = "csr-key-invalid"
    message = _("The request's public key is not a valid key.")
    next_step = _("Make a new key and a new certificate signing request (CSR) with it.")


class KeyEncodedOddly(Refusal):
    code = "csr-key-encoding"
    message = _("The request's public key is written in a form that is not supported.")
    next_step = _("Make the request again with a plain RSA key, or an EC key with an uncompressed point.")


class KeyTooSmall(Refusal):
    code = "csr-key-too-small"
    message = _("The request's RSA key has {bits} bits; at least {least} are needed.")
    next_step = _("Make a new key of one of these kinds: {allowed}.")


class KeyNotAllowed(Refusal):
    code = "csr-key-not-allowed"
    message = _("Certificates of this kind are not issued for {found} keys.")
    next_step = _("Make a new key of one of these kinds: {allowed}.")


class KeyWeak(Refusal):
    code = "csr-key-weak"
    message = _("The request's key is weak: {why}.")
    next_step = _("Update the program that made it, then make a new key and a new certificate signing request (CSR).")
