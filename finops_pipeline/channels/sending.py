"""Sending a message over a channel, with a few attempts.

Put here: which door a channel uses, and how often to try. Keep out: the doors (webhook.py, mail.py,
command.py), when a channel is due (application/alert_times.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from finops_pipeline import __version__, clock
from finops_pipeline.channels.command import run_command
from finops_pipeline.channels.mail import MailServer, send_mail
from finops_pipeline.channels.message import Message, as_data, as_slack
from finops_pipeline.channels.webhook import WebhookLimits, post
from finops_pipeline.errors import (
    FinopsError,
    NoAnswer,
    SettingError,
    Unreachable,
    counted,
    crash_text,
)
from finops_pipeline.log import log_crash
from finops_pipeline.settings import Settings, read_secret
from finops_pipeline.tenants.alert_channels import Channel, ChannelKind

ATTEMPTS = 3
_FIRST_PAUSE = 0.5


@dataclass(frozen=True)
class SendResult:
    """What became of a message: after how many attempts, and why not; empty: it was taken.

    `is_partial`: some recipients have it, and the reason is about the others.
    """

    attempts: int
    reason: str = ""
    is_partial: bool = False

    @property
    def is_sent(self) -> bool:
        """Whether the receiver took the message."""
        return not self.reason


def send(settings: Settings, tenant: str, channel: Channel, message: Message) -> SendResult:
    """Send a message; try again shortly if the receiver was busy or failed.

    One that did not answer in time may have the message, and is left alone until a later run.

    A failure is a result, not an error: one channel that fails must not stop the others. That is
    also true of a defect of finops, which is logged with its stack.

    Args:
        tenant: whose channel it is; only its own secrets are read.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            refused = _send(settings, tenant, channel, message)
        except Unreachable as error:
            if attempt == ATTEMPTS or isinstance(error, NoAnswer):
                return SendResult(attempt, str(error))
            clock.pause(_FIRST_PAUSE * 2 ** (attempt - 1))
        except FinopsError as error:
            return SendResult(attempt, str(error))
        except Exception as error:  # whatever it is, the other channels are sent their messages
            where = f"channel {channel.name} of tenant {tenant}"
            log_crash(error, f"finops_pipeline {__version__} crashed: {where}")
            return SendResult(attempt, f"{crash_text(error)}; its traceback is in the log")
        else:
            return SendResult(attempt, _name_refused(refused), bool(refused))
    raise AssertionError("the last attempt returns its result")


def _name_refused(refused: dict[str, int]) -> str:
    """Return why some recipients lack a mail; it is not sent again to those who have it."""
    if not refused:
        return ""
    named = ", ".join(f"{recipient} ({status})" for recipient, status in refused.items())
    return f"the mail server refused {counted(len(refused), 'recipient')}: {named}"


def _send(settings: Settings, tenant: str, channel: Channel, message: Message) -> dict[str, int]:
    """Send a message once; return the recipients that were refused, while others have it."""
    match channel.kind:
        case ChannelKind.SLACK:
            hosts = frozenset(settings.webhook_hosts.split())
            limits = WebhookLimits(settings.channel_seconds, hosts)
            post(read_secret(tenant, channel.secret), as_slack(message), limits)
        case ChannelKind.EMAIL:
            return send_mail(_mail_server(settings), channel.to, message)
        case ChannelKind.COMMAND:
            run_command(channel.command, json.dumps(as_data(message)), settings.channel_seconds)
    return {}


def _mail_server(settings: Settings) -> MailServer:
    for name in ("smtp_user", "smtp_password"):
        if not getattr(settings, name).isascii():
            variable = f"FINOPS_{name.upper()}"
            raise SettingError(
                f"{variable} has a character that is not ASCII",
                "only ASCII characters, because mail servers agree on no others",
                f"Change {variable}",
            )
    return MailServer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_security,
        settings.smtp_user,
        settings.smtp_password,
        settings.smtp_from,
        settings.channel_seconds,
    )
