import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.config import config
from portal.foundation.token import KEY_KINDS, TokenFellSilent, TokenNotReached, TokenRefused, token_at
from portal.notary.keys import make_key


class Command(BaseCommand):
    help = "Make the key in the token that signs the journal's checkpoints, or enter the one JOURNAL_KEY_ID names."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--key-type", default="ec-p256", choices=sorted(KEY_KINDS))

    def handle(self, *_args: Any, **options: Any) -> None:
        if not config.holds_token:
            raise CommandError("PKCS11_MODULE, PKCS11_TOKEN and PKCS11_PIN_FILE must name the token.")
        key_id = bytes.fromhex(config.journal_key_id) or secrets.token_bytes(16)
        token = token_at(config.pkcs11_module, config.pkcs11_token, config.pkcs11_pin_file)
        try:
            key = make_key(token, key_id, options["key_type"], by="command:create_journal_key")
        except (TokenNotReached, TokenRefused, TokenFellSilent) as trouble:
            raise CommandError(f"No key was made: {trouble}") from trouble
        self.stdout.write(f"JOURNAL_KEY_ID={key.key_id}\nfingerprint {key.fingerprint}")
