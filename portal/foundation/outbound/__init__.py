"""The one way by which the product speaks to addresses that strangers chose.

A name is resolved once, every answer is judged, and the connection goes to an address that was judged, so that
nobody can turn a request inside.  Imports no Django and reads no environment: remote perspectives use it, too.
"""

from portal.foundation.outbound.client import Caps, Fetch, Fetched, Hop, fetch
from portal.foundation.outbound.connecting import Addresses, Routes
from portal.foundation.outbound.reasons import NotFetched, Reason

__all__ = ["Addresses", "Caps", "Fetch", "Fetched", "Hop", "NotFetched", "Reason", "Routes", "fetch"]
