"""Signs the heads of the journal's chains with a key of the token, and sees to it that they are verified.

The journal itself (`portal.foundation.audit`) knows public keys only.
"""
