"""How fast the token signs with nothing around it: the limit that no worker passes."""

import hashlib
import secrets
import sys
import time

from portal.config import config
from portal.foundation.token import SIGN_DIGEST_EC, token_at

SECONDS = 2.0


def main() -> None:
    """Write signatures a second."""
    token = token_at(config.pkcs11_module, config.pkcs11_token, config.pkcs11_pin_file)
    key_id = secrets.token_bytes(8)
    token.generate("ec-p256", key_id)
    digest = hashlib.sha256(b"to be signed").digest()
    token.sign(key_id, digest, SIGN_DIGEST_EC)
    began, signed = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        token.sign(key_id, digest, SIGN_DIGEST_EC)
        signed += 1
    sys.stdout.write(f"{signed / (time.perf_counter() - began):.0f}\n")
