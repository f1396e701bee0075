"""The journal as people read it: list, one line, verification, export; a tenant's, and the platform's for operators."""
