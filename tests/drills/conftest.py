"""The token that fails on command, and the world around domains, for the drills that ask for them."""

from tests.drills.domains import dns, hook
from tests.drills.shift import device, shift, signing, workers

__all__ = ["device", "dns", "hook", "shift", "signing", "workers"]
