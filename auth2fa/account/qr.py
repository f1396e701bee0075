"""QR codes as pictures, drawn here, so that a secret goes to nobody else's service."""

import io

import segno

_MODULE = 4  # pixels
_QUIET = 4  # modules: ISO/IEC 18004 wants four around the code


def as_svg(text: str) -> bytes:
    """Return *text* as a QR code: black on white in light and dark, without style attributes."""
    picture = io.BytesIO()
    segno.make_qr(text, error="m").save(
        picture,
        kind="svg",
        scale=_MODULE,
        border=_QUIET,
        dark="#000",
        light="#fff",
        xmldecl=False,
        svgclass=None,
        lineclass=None,
        nl=False,
    )
    return picture.getvalue()
