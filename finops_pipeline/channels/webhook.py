"""Webhooks: a message as one HTTP request to a public address.

Put here: which addresses may be called, and the request. Keep out: the message (message.py), how
often to try (sending.py).

Who declares a webhook could use it to reach servers inside the network. So its name has to mean a
public address, the request goes to the very address that was checked, and redirects are refused.
Its URL is a secret: messages name only its host.
"""

from __future__ import annotations

import ipaddress
import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

import urllib3

from finops_pipeline.channels.time_limit import Attempt, run_within
from finops_pipeline.errors import MessageRefused, Unreachable

_LATER = "finops tries again later"
_BUSY = {408, 425, 429}


@dataclass(frozen=True)
class WebhookLimits:
    """Seconds for a request, and the hosts inside the network that may be called."""

    seconds: float
    inner_hosts: frozenset[str]


def post(url: str, body: dict[str, Any], limits: WebhookLimits) -> None:
    """Send one request.

    Raises:
        MessageRefused: the URL may not be called, or the receiver does not want the message.
        Unreachable: the receiver failed, was busy or did not answer.
    """
    parts = _split(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    is_inner = f"{host}:{port}" in limits.inner_hosts
    if parts.scheme != "https" and not is_inner:
        raise MessageRefused(
            f"the webhook at {host} has no https", "a URL that begins with https://"
        )
    run_within(
        limits.seconds,
        f"the webhook at {host}",
        lambda attempt: _post(parts, body, is_inner, attempt),
    )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or parts.username or any(c.isspace() or not c.isprintable() for c in url):
        raise MessageRefused(
            "the secret of the webhook is not a URL", "a URL such as https://hooks.example/…"
        )
    return parts


def _post(parts: SplitResult, body: dict[str, Any], is_inner: bool, attempt: Attempt) -> None:
    host = parts.hostname or ""
    timeout = urllib3.Timeout(connect=30, read=60)
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":
        address = _find_address(host, parts.port or 443, is_inner)
        pool = urllib3.HTTPSConnectionPool(
            address,
            parts.port or 443,
            timeout=timeout,
            server_hostname=host,
            assert_hostname=host,
            cert_reqs="CERT_REQUIRED",
        )
    else:
        address = _find_address(host, parts.port or 80, is_inner)
        pool = urllib3.HTTPConnectionPool(address, parts.port or 80, timeout=timeout)
    headers = {"Host": parts.netloc, "Content-Type": "application/json", "User-Agent": "finops"}
    target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    attempt.proceed()
    try:
        answer = pool.urlopen(
            "POST",
            target,
            body=json.dumps(body).encode(),
            headers=headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,  # what it says is not read: it may be endless, or foreign
        )
        status = answer.status
        answer.close()
    except urllib3.exceptions.SSLError as error:
        raise MessageRefused(
            f"the webhook at {host} has a certificate that is not valid for it",
            "a certificate of this host that this machine trusts",
            "Correct the URL in its secret, or the certificate",
        ) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unreachable(
            f"the webhook at {host} could not be reached ({type(error).__name__})",
            "an answer",
            _LATER,
        ) from error
    finally:
        pool.close()
    _check_status(host, status)


def _check_status(host: str, status: int) -> None:
    if 200 <= status < 300:
        return
    if status >= 500 or status in _BUSY:
        raise Unreachable(f"the webhook at {host} answered {status}", "an answer of 200", _LATER)
    if 300 <= status < 400:
        raise MessageRefused(
            f"the webhook at {host} answered {status}, a redirect, which is not followed",
            "the address at which it answers itself",
            "Replace the URL in its secret",
        )
    raise MessageRefused(
        f"the webhook at {host} answered {status}",
        "an answer of 200",
        "Compare the URL in its secret with the one that the receiver shows",
    )


def _find_address(host: str, port: int, is_inner: bool) -> str:
    """Return the address to call.

    Raises:
        Unreachable: the host has no address.
        MessageRefused: one of its addresses is not public.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"the webhook's host {host} has no address", "a name", _LATER) from error
    addresses = [str(entry[4][0]) for entry in found]
    if not is_inner and not all(map(_is_public, addresses)):
        raise MessageRefused(
            f"the webhook's host {host} is inside the network",
            "a public address",
            "If it is meant, the operator adds it to FINOPS_WEBHOOK_HOSTS as host:port",
        )
    return addresses[0]


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        is_translated = ip in ipaddress.ip_network("64:ff9b::/96")
        return ip.is_global and inner is None and not is_translated
    return ip.is_global and not ip.is_multicast
