"""Addresses that no stranger may send us to: IANA's special-purpose registries, and what else is not the Internet.

https://www.iana.org/assignments/iana-ipv4-special-registry and https://www.iana.org/assignments/iana-ipv6-special-registry,
as of October 2025.  Blocks that IANA calls globally reachable are refused as well: nobody's web server lives there.
"""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

_REGISTRY = {
    # IPv4
    "0.0.0.0/8": "this network (RFC 791 3.2)",
    "10.0.0.0/8": "private use (RFC 1918)",
    "100.64.0.0/10": "shared by carriers (RFC 6598)",
    "127.0.0.0/8": "loopback (RFC 1122 3.2.1.3)",
    "168.63.129.16/32": "a cloud's agent on its own machines",
    "169.254.0.0/16": "link local, cloud metadata (RFC 3927)",
    "172.16.0.0/12": "private use (RFC 1918)",
    "192.0.0.0/24": "protocol assignments (RFC 6890 2.1)",
    "192.0.2.0/24": "documentation (RFC 5737)",
    "192.31.196.0/24": "AS112 (RFC 7535)",
    "192.52.193.0/24": "multicast tunnels (RFC 7450)",
    "192.88.99.0/24": "6to4 relays, deprecated (RFC 7526)",
    "192.168.0.0/16": "private use (RFC 1918)",
    "192.175.48.0/24": "AS112 (RFC 7534)",
    "198.18.0.0/15": "benchmarks (RFC 2544)",
    "198.51.100.0/24": "documentation (RFC 5737)",
    "203.0.113.0/24": "documentation (RFC 5737)",
    "224.0.0.0/4": "multicast (RFC 5771)",
    "240.0.0.0/4": "reserved, broadcast (RFC 1112 4, RFC 919 7)",
    # IPv6
    "::/128": "unspecified (RFC 4291)",
    "::1/128": "loopback (RFC 4291)",
    "::/96": "IPv4-compatible, deprecated (RFC 4291 2.5.5.1)",
    "::ffff:0:0/96": "IPv4-mapped (RFC 4291 2.5.5.2)",
    "64:ff9b::/96": "IPv4 behind NAT64 (RFC 6052)",
    "64:ff9b:1::/48": "IPv4 behind NAT64 (RFC 8215)",
    "100::/64": "discarded (RFC 6666)",
    "100:0:0:1::/64": "dummy prefix (RFC 9780)",
    "2001::/23": "protocol assignments, Teredo among them (RFC 2928, RFC 4380)",
    "2001:db8::/32": "documentation (RFC 3849)",
    "2002::/16": "IPv4 in 6to4 (RFC 3056)",
    "2620:4f:8000::/48": "AS112 (RFC 7534)",
    "3fff::/20": "documentation (RFC 9637)",
    "5f00::/16": "segment routing (RFC 9602)",
    "fc00::/7": "unique local (RFC 4193)",
    "fe80::/10": "link local (RFC 4291)",
    "fec0::/10": "site local, deprecated (RFC 3879)",
    "ff00::/8": "multicast (RFC 4291)",
}
SPECIAL: dict[IPv4Network | IPv6Network, str] = {ip_network(block): why for block, why in _REGISTRY.items()}

_GLOBAL_UNICAST = ip_network("2000::/3")
"""All of IPv6 that IANA has given out so far (RFC 4291 2.4, its registry ipv6-address-space)."""


def why_special(text: str) -> str:
    """Say what keeps *text* from being an address of somebody on the Internet; "" where nothing does."""
    try:
        address = ip_address(text)
    except ValueError:
        return "no address"
    if getattr(address, "scope_id", None) is not None:
        return "an address on one link only"
    for block, why in SPECIAL.items():
        if address.version == block.version and address in block:
            return why
    if address.version == 6 and address not in _GLOBAL_UNICAST:  # noqa: PLR2004 - IPv6
        return "not given out to anybody (RFC 4291 2.4)"
    return ""
