"""What the demo's profiles promise and its agreement says."""

from typing import Any

PROFILES: dict[str, dict[str, Any]] = {
    "desktop-signing": {
        "title": "Desktop Signing",
        "content": {
            "about": "A person's certificate for signing documents at the desk, valid for one year.",
            "key_types": ["ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096"],
            "key_usage": {
                "ec": ["digital_signature", "content_commitment"],
                "rsa": ["digital_signature", "content_commitment"],
            },
            # RFC 9336 id-kp-documentSigning
            "extended_key_usages": ["1.3.6.1.5.5.7.3.36"],
            "subject": ["common_name", "organizational_unit"],
            "days": 365,
        },
    },
    "secure-email": {
        "title": "Secure E-mail",
        "content": {
            "about": "Signs and encrypts the mail of one person's addresses, valid for one year.",
            "key_types": ["ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096"],
            "key_usage": {
                "ec": ["digital_signature", "key_agreement"],
                "rsa": ["digital_signature", "key_encipherment"],
            },
            # RFC 5280 4.2.1.12 id-kp-emailProtection
            "extended_key_usages": ["1.3.6.1.5.5.7.3.4"],
            "subject": ["common_name"],
            "alternative_names": ["email"],
            "days": 365,
        },
    },
    "tls-server": {
        "title": "TLS Server",
        "content": {
            "about": "Shows visitors that they reached your servers, by their names in the DNS; valid for 90 days.",
            "key_types": ["ec-p256", "ec-p384", "rsa-2048", "rsa-3072"],
            "key_usage": {
                "ec": ["digital_signature"],
                "rsa": ["digital_signature", "key_encipherment"],
            },
            # RFC 5280 4.2.1.12 id-kp-serverAuth
            "extended_key_usages": ["1.3.6.1.5.5.7.3.1"],
            "subject": [],
            "common_name_from": "dns",
            "alternative_names": ["dns"],
            "days": 90,
        },
        "checks_caa": True,
    },
}

AGREEMENT = {
    "title": "Subscriber agreement",
    "language": "en",
    "text": """\
You confirm that the names in the certificate are yours, or that you act for the person or organisation they name, \
and that everything you entered is true.

You keep the private key to yourself and protect it as the value of what it signs demands. You ask for revocation \
at once when you suspect that anybody else knows it, and when a name in the certificate is no longer right.

You use the certificate only for what it was issued for and only until it expires or is revoked. You agree that it \
may be revoked without notice when the rules of the authority demand it.

You understand that the certificate is public: whoever receives a signature of yours receives the certificate too.""",
}
