"""TLS with a server whose CA is known beforehand, and with no other."""

from __future__ import annotations

import ssl


def trusting(ca: str, *, name_matters: bool = True) -> ssl.SSLContext:
    """The settings of a client that takes certificates of `ca` alone, PEM of one or more.

    With `name_matters`, the name that it connects to must be in the server's. Raises ValueError for no PEM.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # requires a certificate, and knows no public CA
    context.check_hostname = name_matters
    try:
        context.load_verify_locations(cadata=ca)
    except (ssl.SSLError, TypeError, ValueError) as error:
        raise ValueError("write it as PEM of one certificate or more") from error
    return context


def pem(text: str) -> str:
    """The same text. Raises ValueError unless it is PEM of certificates."""
    trusting(text)
    return text
