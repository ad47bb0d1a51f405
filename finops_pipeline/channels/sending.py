"""Sending a message over a channel, with a few attempts.

Put here: which door a channel uses, and how often to try. Keep out: the doors (webhook.py, mail.py,
command.py), when a channel is due (application/alert_times.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from finops_pipeline import clock
from finops_pipeline.channels.command import run_command
from finops_pipeline.channels.mail import MailServer, send_mail
from finops_pipeline.channels.message import Message, as_data, as_slack
from finops_pipeline.channels.webhook import WebhookLimits, post
from finops_pipeline.errors import FinopsError, Unreachable
from finops_pipeline.settings import Settings, read_secret
from finops_pipeline.tenants.alert_channels import Channel, ChannelKind

ATTEMPTS = 3
_FIRST_PAUSE = 0.5


@dataclass(frozen=True)
class SendResult:
    """What became of a message: after how many attempts, and why not; empty: it was taken."""

    attempts: int
    reason: str = ""

    @property
    def is_sent(self) -> bool:
        """Whether the receiver took the message."""
        return not self.reason


def send(settings: Settings, tenant: str, channel: Channel, message: Message) -> SendResult:
    """Send a message; try again shortly if the receiver was busy or failed.

    A failure is a result, not an error: one channel that fails must not stop the others.

    Args:
        tenant: whose channel it is; only its own secrets are read.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _send(settings, tenant, channel, message)
        except Unreachable as error:
            if attempt == ATTEMPTS:
                return SendResult(attempt, str(error))
            clock.pause(_FIRST_PAUSE * 2 ** (attempt - 1))
        except FinopsError as error:
            return SendResult(attempt, str(error))
        else:
            break
    return SendResult(attempt)


def _send(settings: Settings, tenant: str, channel: Channel, message: Message) -> None:
    match channel.kind:
        case ChannelKind.SLACK:
            hosts = frozenset(settings.webhook_hosts.split())
            limits = WebhookLimits(settings.channel_seconds, hosts)
            post(read_secret(tenant, channel.secret), as_slack(message), limits)
        case ChannelKind.EMAIL:
            send_mail(_mail_server(settings), channel.to, message)
        case ChannelKind.COMMAND:
            run_command(channel.command, json.dumps(as_data(message)), settings.channel_seconds)


def _mail_server(settings: Settings) -> MailServer:
    return MailServer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_security,
        settings.smtp_user,
        settings.smtp_password,
        settings.smtp_from,
        settings.channel_seconds,
    )
