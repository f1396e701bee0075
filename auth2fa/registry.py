"""Which second factors there are.  The only place that knows the kinds."""

from collections.abc import Callable, Mapping
from typing import Any

from auth2fa.couriers import SmtpCourier
from auth2fa.errors import NoSuchFactor
from auth2fa.factors.codes import CodeSettings, EmailCode
from auth2fa.factors.totp import AuthenticatorCode, TotpLimits
from auth2fa.protocol import SecondFactor

FACTORS: dict[str, Callable[..., SecondFactor]] = {
    EmailCode.slug: lambda **settings: EmailCode(SmtpCourier(), CodeSettings(**settings)),
    AuthenticatorCode.slug: lambda **settings: AuthenticatorCode(TotpLimits(**settings)),
}


def factor_of(slug: str, settings: Mapping[str, Any]) -> SecondFactor:
    """Make the factor that a policy names, with the policy's *settings*; what they leave out is the default."""
    try:
        make = FACTORS[slug]
    except KeyError:
        raise NoSuchFactor(f"there is no second factor {slug!r}, only {', '.join(FACTORS)}") from None
    return make(**settings)
