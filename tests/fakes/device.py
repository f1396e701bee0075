"""A real token that fails on command, in this process or in another: the ways in which SoftHSM cannot fail.

`Device` stands where python-pkcs11's session stands, between `Token` and SoftHSM.  What it
shall be like is a word in a file, and what it was asked is a line in another, so that a
test can spoil, mend and count the token of a worker in a process of its own:

    device.be("garbage")            from now on
    device.be("silent", after=1)    from the second signature on
    device.be("refuses", times=1)   once
"""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pkcs11

from portal.foundation.token import Token

Fault = Callable[[], Any]


def _raising(error: type[Exception]) -> Fault:
    def fail() -> None:
        raise error

    return fail


def _everywhere(error: type[Exception]) -> dict[str, Fault]:
    return dict.fromkeys(("find", "sign", "random"), _raising(error))


MODES: dict[str, dict[str, Fault]] = {
    # mode -> call -> what happens instead; a call that is not named goes through
    "well": {},
    "away": {**_everywhere(pkcs11.TokenNotPresent), "login": _raising(pkcs11.NoSuchToken)},
    "removed": {**_everywhere(pkcs11.DeviceRemoved), "login": _raising(pkcs11.NoSuchToken)},
    "no session": _everywhere(pkcs11.SessionHandleInvalid),
    "PIN wrong": {**_everywhere(pkcs11.SessionHandleInvalid), "login": _raising(pkcs11.PinIncorrect)},
    "PIN locked": {**_everywhere(pkcs11.SessionHandleInvalid), "login": _raising(pkcs11.PinLocked)},
    "slow": {"sign": lambda: time.sleep(30)},
    "garbage": {"sign": lambda: secrets.token_bytes(64)},
    "silent": {"sign": _raising(pkcs11.GeneralError)},
    "refuses": {"sign": _raising(pkcs11.MechanismInvalid)},
}


class Device:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mode, self._log = folder / "mode", folder / "asked"

    def be(self, mode: str, *, after: int = 0, times: int = 10**9) -> None:
        """Fail like *mode* from now on, but not for the first *after* signatures, and for *times* of them only."""
        assert mode in MODES
        begins = self.count("sign") + after
        written = self._mode.with_suffix(".new")
        written.write_text(f"{mode}|{begins}|{begins + times}")
        written.replace(self._mode)

    def count(self, call: str) -> int:
        return self._log.read_text().split("\n").count(call) if self._log.exists() else 0

    def note_digest(self, data: bytes) -> None:
        with (self.folder / "digests").open("a") as digests:
            digests.write(f"{data.hex()}\n")

    def digests(self) -> list[str]:
        """Return everything that the token was asked to sign, whatever it answered."""
        return (self.folder / "digests").read_text().split()

    def meet(self, call: str) -> Any:
        """Write down that *call* was made, and fail if it is to; None means that the real token shall answer."""
        signed = self.count("sign")
        with self._log.open("a") as log:
            log.write(f"{call}\n")
        mode, begins, ends = self._mode.read_text().split("|") if self._mode.exists() else ("well", "0", "0")
        if call == "login" or int(begins) <= signed < int(ends):
            return MODES[mode].get(call, lambda: None)()
        return None

    def install(self, put: Callable[[type, str, Any], None] = setattr) -> None:
        """Let every token of this process be reached through this device."""
        log_in = Token._log_in

        def through_the_device(token: Token) -> Any:
            self.meet("login")
            return _Session(log_in(token), self)

        put(Token, "_log_in", through_the_device)

    @classmethod
    def of_this_process(cls) -> "Device":
        return cls(Path(os.environ["FAULTY_DEVICE"]))


class _Session:
    """python-pkcs11's session as `Token` uses it."""

    def __init__(self, inner: pkcs11.Session, device: Device) -> None:
        self._inner, self._device = inner, device

    def get_objects(self, wanted: dict[pkcs11.Attribute, Any]) -> Iterator[Any]:
        self._device.meet("find")
        for found in self._inner.get_objects(wanted):
            yield _Key(found, self._device) if isinstance(found, pkcs11.SignMixin) else found

    def generate_random(self, bits: int) -> bytes:
        self._device.meet("random")
        return bytes(self._inner.generate_random(bits))

    @property
    def token(self) -> pkcs11.Token:
        return self._inner.token

    def close(self) -> None:
        self._inner.close()


class _Key(pkcs11.SignMixin):  # type: ignore[misc]
    def __init__(self, inner: Any, device: Device) -> None:
        self._inner, self._device = inner, device

    def __getitem__(self, attribute: pkcs11.Attribute) -> Any:
        self._device.meet("find")
        return self._inner[attribute]

    def sign(self, data: bytes, **how: Any) -> bytes:
        self._device.note_digest(data)
        instead = self._device.meet("sign")
        return bytes(self._inner.sign(data, **how)) if instead is None else bytes(instead)
