"""How a registry is reached: over TLS or not, trusting whom, through which proxies."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from cogn.store.errors import RegistryError
from cogn.store.registry.answer import PATIENCE

if TYPE_CHECKING:
    import httpx

    from cogn.store.registry.configuration import Endpoint

__all__ = ["new_connections", "roots"]


def roots(endpoint: Endpoint) -> list[str]:
    """Return the URLs at which the registry may answer, the likeliest first."""
    if not endpoint.may_be_plain:
        return [f"https://{endpoint.netloc}"]
    schemes = ("http", "https") if endpoint.is_loopback else ("https", "http")
    return [f"{scheme}://{endpoint.netloc}" for scheme in schemes]


def new_connections(endpoint: Endpoint, root: str) -> httpx.AsyncClient:
    """Return the client for the registry at `root`; raises `RegistryError` and `StoreError`."""
    from cogn.store.client import new_client, system_trust

    # A proxy would look for this machine's own registries on itself.
    uses_proxies = not endpoint.is_loopback
    if root.startswith("http:"):
        return new_client(verify=False, read_seconds=PATIENCE, uses_proxies=uses_proxies)
    context = system_trust()
    certificates = endpoint.certificates
    try:
        for authority in certificates.authorities:
            context.load_verify_locations(authority)
        for certificate, key in certificates.clients:
            context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise RegistryError(
            f"the certificates for `{endpoint.netloc}` cannot be used: {error}"
        ) from error
    if endpoint.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return new_client(verify=context, read_seconds=PATIENCE, uses_proxies=uses_proxies)
