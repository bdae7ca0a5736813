"""A certificate to sign in with, as people paste it into a setting: PEM text with a private key and its certificate."""

import base64
import re
import textwrap
from typing import NamedTuple

# Settings are edited in one line: line breaks are blanks there, or stand as `\n`.
_BLOCK = re.compile(r"-----BEGIN ([A-Z ]{1,40})-----(.*?)-----END \1-----", re.DOTALL)


class Certificate(NamedTuple):
    """A private key and the certificate that belongs to it, both as PEM text. The key is a secret."""

    private_key: str
    public: str

    def __repr__(self) -> str:
        """Show nothing: what is printed lands in logs."""
        return "Certificate()"


def read_certificate(text: str) -> Certificate:
    """Return the first private key of a PEM text and, of the certificates there, the one that belongs to it.

    Raises `ValueError` where there is no such pair, the key is encrypted, or it is no RSA key, which Entra ID asks for.
    """
    from cryptography.exceptions import UnsupportedAlgorithm

    blocks = [(label, _pem(label, body)) for label, body in _BLOCK.findall(text.replace("\\n", "\n"))]
    keys = [pem for label, pem in blocks if label.endswith("PRIVATE KEY")]
    if not keys:
        raise ValueError("no private key")
    try:
        for label, pem in blocks:
            if label == "CERTIFICATE" and _belongs(pem, keys[0]):
                return Certificate(keys[0], pem)
    except (TypeError, UnsupportedAlgorithm):  # TypeError: it asks for a password
        raise ValueError("the private key is encrypted, or of a kind that nobody here can read") from None
    raise ValueError("no certificate that belongs to the key")


def _belongs(certificate: str, private_key: str) -> bool:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(private_key.encode(), None)
    public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    return isinstance(key, RSAPrivateKey) and public == key.public_key()


def _pem(label: str, body: str) -> str:
    """Return a block with its line breaks where they belong. Raises `ValueError` where it is no base64."""
    content = "".join(body.split())
    base64.b64decode(content, validate=True)
    lines = "\n".join(textwrap.wrap(content, 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"
