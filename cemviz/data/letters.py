"""Bytes as letters that an address holds."""

import base64
import binascii


def letters(data: bytes) -> str:
    """Base64 of addresses, without its padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def parsed(text: str) -> bytes:
    """The bytes of such letters; none where they are others."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
