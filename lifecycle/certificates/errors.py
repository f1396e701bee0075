"""Why a certificate of somebody else's is not taken, and why nothing is done with one that was."""

from django.utils.translation import gettext_lazy as _

from portal.foundation.errors import Conflict, Refusal


class IssuedElsewhere(Refusal):
    """4.R8, and every other operation alike: only who signed a certificate can do anything about it."""

    code = "issued-elsewhere"
    message = _("This certificate was uploaded: {issuer} issued it, so nothing can be done with it here.")
    next_step = _("Ask {issuer}.")


class NothingGiven(Refusal):
    code = "upload-empty"
    message = _("Nothing was pasted or uploaded.")
    next_step = _("Paste the certificate, or choose its file.")


class UploadTooLarge(Refusal):
    code = "upload-too-large"
    message = _("This is {kilobytes} KB long; at most {limit} KB are read at once.")
    next_step = _("Choose a file that holds certificates and nothing else, or upload them in parts.")


class CertificateTooLarge(Refusal):
    code = "upload-certificate-too-large"
    message = _("One of the certificates is {kilobytes} KB long; at most {limit} KB are read.")
    next_step = _("Choose a file that holds certificates and nothing else.")


class TooManyCertificates(Refusal):
    code = "upload-too-many"
    message = _("There are {count} certificates here; at most {limit} are taken at once.")
    next_step = _("Upload them in parts.")


class TooManyNames(Refusal):
    code = "upload-too-many-names"
    message = _("The certificates hold more names than can be taken at once ({limit}).")
    next_step = _("Upload them in parts.")


class CertificateUnreadable(Refusal):
    code = "upload-unreadable"
    message = _("This cannot be read as a certificate.")
    next_step = _(
        "Upload the file as you got it (PEM, DER or PKCS#7), or paste the whole text, "
        "from “-----BEGIN CERTIFICATE-----” to “-----END CERTIFICATE-----”."
    )


class CertificateCutOff(Refusal):
    code = "upload-cut-off"
    message = _("The end of a certificate is missing.")
    next_step = _("Copy the whole text, to the last line “-----END CERTIFICATE-----”.")


class CertificateKeyUnknown(Refusal):
    code = "upload-key-unsupported"
    message = _("The key in one of the certificates is of a kind that cannot be read here.")
    next_step = _("Leave that certificate out.")


class NotACertificate(Refusal):
    code = "upload-is-something-else"
    message = _("This is {what}, not a certificate.")
    next_step = _("Look for the text that begins with “-----BEGIN CERTIFICATE-----”.")


class SecretGiven(Refusal):
    code = "upload-is-secret"
    message = _("There is {what} in this. It was not stored, but a private key must never leave its machine.")
    next_step = _("Consider this key exposed: have its certificate revoked, and upload the certificate alone.")


class SignatureBroken(Refusal):
    code = "upload-signature-broken"
    message = _("The certificate “{name}” is damaged or forged: the signature is not that of “{issuer}” in this file.")
    next_step = _("Get the certificate again from where you have it.")


class UploadedMeanwhile(Conflict):
    code = "uploaded-meanwhile"
    message = _("Somebody uploaded one of these certificates a moment ago; nothing was stored.")
    next_step = _("Upload them again: the page then says which of them are here already.")
