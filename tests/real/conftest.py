"""The token that fails on command, for the tests of this folder, too."""

from tests.drills.shift import device, shift, signing, workers

__all__ = ["device", "shift", "signing", "workers"]
