"""Where certificates say that their issuer and its CRL are found: http, below `PKI_BASE_URL`.

Part of every certificate, so what stands here must stay reachable until the last of
them has expired.
"""

from portal.config import config


def issuer_url(tenant: str, authority: str, version: int) -> str:
    """RFC 5280 4.2.2.1: one DER certificate."""
    return f"{config.pki_base_url}/pki/{tenant}/{authority}-{version}.cer"


def crl_url(tenant: str, authority: str, version: int, shard: int) -> str:
    """RFC 5280 4.2.1.13: the one CRL that would list the certificate."""
    return f"{config.pki_base_url}/pki/{tenant}/{authority}-{version}-{shard}.crl"
