"""Passwords that are quick to check: the product's kind, with next to no work in it.

A run checks hundreds of them, a tenth of a second each; what that work is worth has tests of its own, which take
the product's hasher (the fixture `costly_passwords`).
"""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Light(Argon2PasswordHasher):
    time_cost = 1
    memory_cost = 8  # KiB; argon2 takes no less
    parallelism = 1
