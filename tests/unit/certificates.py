"""A certificate to sign in with, made once for all tests: its key, itself, and keys that are not its own."""

from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)


@cache
def _key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def private_key_pem(password: bytes = b"") -> str:
    """Return the certificate's private key, encrypted where a password is given."""
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return _key("own").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode()


@cache
def other_key_pem(*, elliptic: bool = False) -> str:
    """Return a private key that the certificate does not belong to."""
    key = ec.generate_private_key(ec.SECP256R1()) if elliptic else _key("other")
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@cache
def certificate() -> x509.Certificate:
    """Return the certificate itself."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "graph")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(name, name, _key("own").public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(_key("own"), hashes.SHA256())
    )


def certificate_pem() -> str:
    """Return the certificate as PEM text."""
    return certificate().public_bytes(Encoding.PEM).decode()
