"""Receivers of messages on 127.0.0.1: a webhook that fails in many ways, and a mail server.

Put here: these servers and what they have received. Keep out: the tenants whose messages they
receive (watched_tenants.py).
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.servers import free_port


@dataclass
class Webhook:
    """A webhook: the requests that it received by path, and how it answers next.

    `answers`: statuses of the next requests, then 200; `hang`: it begins an answer and goes on with
    it, a byte at a time. `location`: where a redirect leads.
    """

    port: int = 0
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    location: str = ""
    is_hanging: bool = False

    @property
    def place(self) -> str:
        """The host and port, as FINOPS_WEBHOOK_HOSTS names it."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        """The URL of a path."""
        return f"http://{self.place}{path}"

    def texts(self, path: str) -> list[str]:
        """The texts that a path was sent, without the spaces of no width."""
        return [
            body["text"].replace("\u200b", "") for where, body in self.received if where == path
        ]


@contextmanager
def webhook(certificate: Path | None = None) -> Iterator[Webhook]:
    """Run a webhook until the block ends; with a certificate it needs https."""
    script = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            script.received.append((self.path, json.loads(body)))
            if script.is_hanging:
                self._drip()
                return
            status = script.answers.pop(0) if script.answers else 200
            self.send_response(status)
            if script.location:
                self.send_header("Location", script.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def _drip(self) -> None:
            """Answer with a header that never ends."""
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            for _ in range(100):
                if not script.is_hanging:
                    return
                time.sleep(0.1)
                try:
                    self.wfile.write(b".")
                except OSError:
                    return

        def log_message(self, format: str, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    script.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield script
    finally:
        script.is_hanging = False
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Mailbox:
    """A mail server: what it received, and how it answers.

    `refusal`: the answer to every mail; `refused`: the answers to some recipients; `delay`: seconds
    before the answer to each recipient.
    """

    port: int = 0
    certificate: Path | None = None
    mails: list[EmailMessage] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    refusal: str = ""
    refused: dict[str, str] = field(default_factory=dict)
    delay: float = 0

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or refuse it; see aiosmtpd."""
        await asyncio.sleep(self.delay)
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a mail, or refuse it; see aiosmtpd."""
        if self.refusal:
            return self.refusal
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        mail["X-Recipients"] = ", ".join(envelope.rcpt_tos)
        self.mails.append(mail)
        return "250 taken"

    def check_login(self, server: Any, session: Any, *more: Any) -> AuthResult:
        """Let in whoever has the password; see aiosmtpd."""
        data = more[-1]
        is_right = isinstance(data, LoginPassword) and data.password == b"right-horse"
        if is_right:
            self.users.append(data.login.decode())
        return AuthResult(success=is_right, handled=False)


@contextmanager
def mailbox(folder: Path | None = None) -> Iterator[Mailbox]:
    """Run a mail server until the block ends.

    Args:
        folder: where to keep a certificate; then it requires STARTTLS and a password.
    """
    box = Mailbox()
    more: dict[str, Any] = {}
    if folder is not None:
        box.certificate = make_certificate(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(box.certificate)
        more = {"tls_context": context, "require_starttls": True, "auth_required": True}
        more |= {"authenticator": box.check_login}
    box.port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=box.port, **more)
    controller.start()
    try:
        yield box
    finally:
        controller.stop(no_assert=True)


def make_certificate(folder: Path) -> Path:
    """Write a key and a certificate for 127.0.0.1, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "mail.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
