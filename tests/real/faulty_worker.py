"""The signing worker as it is, but that its token is reached through a device that fails on command.

    FAULTY_DEVICE=/folder celery -A tests.real.faulty_worker worker …

It is also less patient: what takes twenty seconds there takes one here.
"""

from typing import Any

from celery import signals

from portal.celery import app as app  # noqa: PLC0414 - what `celery -A` looks for
from portal.config import config
from portal.foundation.token import token_at
from tests.fakes.device import Device


@signals.worker_ready.connect  # type: ignore[untyped-decorator]
def _arm(**_: Any) -> None:
    Device.of_this_process().install()
    token_at(config.pkcs11_module, config.pkcs11_token, config.pkcs11_pin_file).patience = 1.0
