"""The settings of messages: the mail server, webhooks inside the network, own rules of alerts.

Put here: fields that only alerts and reports need, and what a mail address is. Keep out: all other
settings, reading the environment and secrets (settings.py), what belongs to one tenant
(tenants/alert_settings.py).
"""

from __future__ import annotations

from email.errors import MessageError
from email.headerregistry import Address
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def is_mail_address(text: str) -> bool:
    """Return whether a text is one address, in ASCII, to or from which a mail can be sent."""
    try:
        return text.isascii() and Address(addr_spec=text).addr_spec == text
    except (ValueError, IndexError, MessageError):
        return False


def _check_sender(text: str) -> str:
    if text and not is_mail_address(text):
        raise ValueError("no mail address")
    return text


class MessageSettings(BaseSettings):
    """One installation's settings of messages, a part of `Settings`."""

    model_config = SettingsConfigDict(env_prefix="FINOPS_", frozen=True, extra="ignore")

    smtp_host: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9.:-]*$",
        description="Mail server that takes alerts and reports; empty: no mail is sent.",
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Port of the mail server.")
    smtp_security: str = Field(
        default="starttls",
        pattern=r"^(starttls|tls|none)$",
        description=(
            "Encryption of the connection to the mail server: starttls, tls (from the first byte)"
            " or none, which is for a server on the same machine."
        ),
    )
    smtp_user: str = Field(
        default="", description="User with which to sign in to the mail server; empty: nobody."
    )
    smtp_password: str = Field(
        default="", repr=False, description="Password of that user. Keep it out of files."
    )
    smtp_from: Annotated[str, AfterValidator(_check_sender)] = Field(
        default="",
        pattern=r"^([^\s@<>,;]+@[A-Za-z0-9.-]+)?$",
        description="Address from which mail is sent, such as finops@acme.example.",
    )
    channel_seconds: float = Field(
        default=10.0,
        gt=0,
        le=120,
        description="Seconds that a webhook, mail server or command may take for one attempt.",
    )
    webhook_hosts: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9.-]+:\d+( +[A-Za-z0-9.-]+:\d+)*)?$",
        description=(
            "Webhooks inside the network, as host:port separated by spaces, which may also be"
            " reached without TLS. All others need https and a public address."
        ),
    )
    alert_rules: str = Field(
        default="",
        description="Folder with the installation's own rules of alerts (docs/alerts.md).",
    )
