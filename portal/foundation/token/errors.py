"""The three ways in which a token fails whoever asks it."""


class TokenNotReached(Exception):
    """Nothing was asked of the token, or it did nothing; the sentence says why."""


class KeyNotThere(TokenNotReached):
    """The token is there, a key with this CKA_ID is not, or there are two."""


class TokenRefused(Exception):
    """The token understood and said no; asking the same again is pointless."""


class TokenFellSilent(Exception):
    """The token was asked and gave no answer: whatever it did, it may have done."""
