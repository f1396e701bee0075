"""The token that fails on command, for the drills that ask for it."""

from tests.drills.shift import device, shift, signing, workers

__all__ = ["device", "shift", "signing", "workers"]
