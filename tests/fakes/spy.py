"""Counts what a PKCS#11 module is really asked, by any number of processes, killed ones included.

OpenSC's `pkcs11-spy.so` stands between a program and the module, and writes every call to
a file at once.  Give `environment` to a process, or open a `Token` on `module`.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

SPY = Path("/usr/lib/x86_64-linux-gnu/pkcs11-spy.so")

_CALL = re.compile(r"^\d+: (C_\w+)$", re.MULTILINE)
_HEX_LINE = re.compile(r"^    [0-9A-F]{8}  ((?:[0-9A-F]{2} ){1,16})", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Spy:
    log: Path
    environment: dict[str, str]

    @classmethod
    def on(cls, module: str, folder: Path) -> "Spy":
        """Watch a copy of *module*: this process may have the original open, and a copy has its own state."""
        copy = Path(shutil.copy(module, folder / "watched.so"))
        log = folder / "calls.log"
        log.touch()
        told = {"PKCS11_MODULE": str(SPY), "PKCS11SPY": str(copy), "PKCS11SPY_OUTPUT": str(log)}
        return cls(log, told)

    @property
    def module(self) -> str:
        """For a `Token` in this process; the spy reads the environment when it is loaded, once a process."""
        os.environ.update({key: told for key, told in self.environment.items() if key.startswith("PKCS11SPY")})
        return self.environment["PKCS11_MODULE"]

    def count(self, function: str) -> int:
        return sum(1 for called, _ in self._calls() if called == function)

    def signed(self) -> list[bytes]:
        """Return what was signed, in order.

        A signature is a successful C_Sign with a buffer; python-pkcs11 calls it without one
        before, to learn the length.
        """
        return [
            bytes.fromhex("".join(_HEX_LINE.findall(told.partition("[out]")[0])))
            for called, told in self._calls()
            if called == "C_Sign" and "Returned:  0 CKR_OK" in told and "pSignature[*pulSignatureLen] NULL" not in told
        ]

    def _calls(self) -> list[tuple[str, str]]:
        pieces = _CALL.split(self.log.read_text())[1:]
        return list(zip(pieces[::2], pieces[1::2], strict=True))
