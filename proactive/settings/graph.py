"""How Microsoft Graph is asked, if it is."""

from dataclasses import dataclass, field

from proactive.certificates import Certificate, read_certificate
from proactive.clouds import Cloud
from proactive.hosts import is_loopback
from proactive.settings.reading import ID, Reader, SettingsError, host_of


@dataclass(frozen=True)
class GraphAccess:
    """How Microsoft Graph is asked, at `url`: as an app with a secret or a certificate, else by managed identity.

    Without a `client_id` no token is sent, which only a stand-in on a laptop puts up with.
    """

    url: str
    client_id: str = ""
    secret: str = field(default="", repr=False)
    certificate: Certificate | None = field(default=None, repr=False)
    tenant_id: str = ""

    def covers(self, tenant: str) -> bool:
        """Tell whether Graph may be asked about a tenant: the configured one or, without that, any."""
        if self.tenant_id:
            return tenant.lower() == self.tenant_id
        return ID.fullmatch(tenant) is not None or not self.client_id


def read_graph(read: Reader, cloud: Cloud, *, local: bool) -> GraphAccess | None:
    """Return how Graph is asked, or None where it is not.

    Raises `SettingsError` where the address or the credentials are malformed, contradict each other or lack something.
    """
    url = read.text("PROACTIVE_GRAPH_URL").rstrip("/")
    host = host_of(url)
    on_loopback = local and is_loopback(host)
    if url and (not host or not url.startswith(("http://", "https://") if on_loopback else "https://") or "@" in url):
        raise SettingsError("PROACTIVE_GRAPH_URL must be an https address.")
    if "?" in url or "#" in url:
        raise SettingsError("PROACTIVE_GRAPH_URL must be an address without query and fragment.")
    client_id, tenant_id = read.id("PROACTIVE_GRAPH_CLIENT_ID"), read.id("PROACTIVE_GRAPH_TENANT_ID").lower()
    secret, certificate = read.text("PROACTIVE_GRAPH_CLIENT_SECRET"), _certificate(read)
    if not client_id and (secret or certificate):
        raise SettingsError("PROACTIVE_GRAPH_CLIENT_ID is missing: a secret or a certificate is that of an app.")
    if secret and certificate:
        raise SettingsError("PROACTIVE_GRAPH_CLIENT_SECRET and PROACTIVE_GRAPH_CERTIFICATE must not both be set.")
    if client_id and not (secret or certificate or tenant_id):
        raise SettingsError("PROACTIVE_GRAPH_TENANT_ID is missing: a managed identity is of one tenant.")
    if not client_id and not on_loopback:
        return None
    return GraphAccess(url or cloud.graph_url, client_id, secret, certificate, tenant_id)


def _certificate(read: Reader) -> Certificate | None:
    text = read.text("PROACTIVE_GRAPH_CERTIFICATE")
    try:
        return read_certificate(text) if text else None
    except ValueError:
        raise SettingsError(
            "PROACTIVE_GRAPH_CERTIFICATE must be PEM text with an RSA private key that is not encrypted"
            " and the certificate that belongs to it."
        ) from None
