"""The journal as people read it: list, one line, verification, export.  A tenant's own, and the platform's for operators."""
