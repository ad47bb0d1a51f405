"""Mail: a message as text and HTML, over the installation's mail server.

Put here: composing and sending one mail. Keep out: the words of a message (message.py), how often
to try (sending.py).
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any

from finops_pipeline import clock
from finops_pipeline.channels.message import Message, as_html, as_text, plain_words
from finops_pipeline.channels.time_limit import Attempt, run_within
from finops_pipeline.errors import MessageRefused, Unreachable

_LATER = "finops tries again later"
_SPARE = 5.0
"""Seconds by which a read may take longer than the whole, so that it is the whole that ends it."""


@dataclass(frozen=True)
class MailServer:
    """The mail server of an installation; `security` is starttls, tls or none."""

    host: str
    port: int
    security: str
    user: str
    password: str
    sender: str
    seconds: float


def send_mail(server: MailServer, recipients: tuple[str, ...], message: Message) -> dict[str, int]:
    """Send one mail to all recipients; return those that the server refused, each with its status.

    Raises:
        MessageRefused: there is no mail server, or it does not want the mail.
        Unreachable: it failed, was busy or did not answer.
    """
    if not server.host or not server.sender:
        raise MessageRefused(
            "no mail server is set",
            "FINOPS_SMTP_HOST and FINOPS_SMTP_FROM",
            "Set both for the processes that send messages",
        )
    mail = compose_mail(server.sender, recipients, message)
    name = f"the mail server {server.host}"
    try:
        refused: dict[str, int] = {}
        run_within(
            server.seconds,
            name,
            lambda attempt: refused.update(_send(server, recipients, mail, attempt)),
        )
    except smtplib.SMTPResponseException as error:
        raise _refusal(name, error.smtp_code) from error
    except smtplib.SMTPRecipientsRefused as error:
        code = max((code for code, _ in error.recipients.values()), default=550)
        raise _refusal(name, code) from error
    except ssl.SSLCertVerificationError as error:
        raise MessageRefused(
            f"{name} has a certificate that is not valid for it ({error.verify_message})",
            "a certificate that this machine trusts",
            "Correct FINOPS_SMTP_HOST, or the certificate",
        ) from error
    except smtplib.SMTPNotSupportedError as error:
        raise MessageRefused(
            f"{name} does not offer what the settings require ({error})",
            "STARTTLS, and sign-in if FINOPS_SMTP_USER is set",
            "Correct FINOPS_SMTP_PORT, FINOPS_SMTP_SECURITY or FINOPS_SMTP_USER",
        ) from error
    except (smtplib.SMTPException, OSError) as error:
        found = f"{name} could not be reached ({type(error).__name__})"
        raise Unreachable(found, "a mail server that answers", _LATER) from error
    return refused


def _refusal(name: str, code: int) -> Unreachable | MessageRefused:
    """Return the error for an SMTP status; its text is left out, as it may quote the mail."""
    if 400 <= code < 500:
        return Unreachable(f"{name} answered {code}", "250, the mail was taken", _LATER)
    return MessageRefused(
        f"{name} answered {code}",
        "250, the mail was taken",
        "Correct the addresses, FINOPS_SMTP_FROM, or the user and password",
    )


def compose_mail(sender: str, recipients: tuple[str, ...], message: Message) -> EmailMessage:
    """Compose a mail with a text and an HTML part."""
    mail = EmailMessage()
    mail["Subject"] = plain_words(message.title)[:200]
    mail["From"] = Address("finops", addr_spec=sender)
    mail["To"] = ", ".join(recipients)
    mail["Date"] = format_datetime(clock.now())
    mail["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(as_text(message))
    mail.add_alternative(as_html(message), subtype="html")
    return mail


class _Connection(smtplib.SMTP):
    """A connection that ends with the attempt, even while it is being made."""

    def __init__(self, attempt: Attempt, host: str, port: int, **options: Any) -> None:
        attempt.use(lambda: getattr(self, "sock", None))
        super().__init__(host, port, **options)


class _SafeConnection(_Connection, smtplib.SMTP_SSL):
    """The same with encryption from the first byte."""


def _send(
    server: MailServer, recipients: tuple[str, ...], mail: EmailMessage, attempt: Attempt
) -> dict[str, int]:
    """Send a mail; between its steps the attempt may end, and its connection with it."""
    context = ssl.create_default_context()
    place, patience = (server.host, server.port), server.seconds + _SPARE
    with (
        _SafeConnection(attempt, *place, timeout=patience, context=context)
        if server.security == "tls"
        else _Connection(attempt, *place, timeout=patience)
    ) as smtp:
        if server.security == "starttls":
            smtp.starttls(context=context)
        attempt.proceed()
        if server.user:
            smtp.login(server.user, server.password)
        attempt.proceed()
        refused = smtp.send_message(mail, server.sender, list(recipients))
    return {recipient: status for recipient, (status, _) in refused.items()}
