"""A real resolver (Unbound) on a free loopback port, in front of the name servers of a test; it is the demo's."""

from portal.demo.unbound import RULES, Unbound

__all__ = ["RULES", "Unbound"]
