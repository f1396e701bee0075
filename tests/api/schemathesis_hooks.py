"""What Schemathesis cannot know of the tests' world: of the profiles that a body may name, one that there is."""

from typing import Any

import schemathesis


@schemathesis.hook
def map_body(_context: Any, body: Any) -> Any:
    """Let a first certificate be of a profile that is offered, so that walks have a request to walk on with."""
    if isinstance(body, dict) and body.keys() == {"kind", "profile"} and body["kind"] == "issue":
        return {**body, "profile": "desktop-signing"}
    return body
