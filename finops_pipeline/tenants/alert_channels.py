"""Channels over which a tenant's alerts are sent, as tenants.yaml declares them.

Put here: the kinds of channels and what each needs. Keep out: sending (channels), when a channel is
quiet (application/alert_times.py), the section that holds them (alert_settings.py).

A secret never stands in the declaration, only its name: `secret: slack` of tenant acme is read from
the environment variable FINOPS_SECRET__ACME__SLACK, so that no tenant can name another's.
"""

from __future__ import annotations

import re
from datetime import time
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from finops_pipeline.errors import RegistryError
from finops_pipeline.message_settings import is_mail_address
from finops_pipeline.tenants.section_fields import (
    read_choice,
    read_entries,
    read_fields,
    read_label,
    read_texts,
    refuse_value,
    require_fields,
)

_ADDRESS = re.compile(r"[^\s@<>,;:\"\\()\[\]]{1,64}@[A-Za-z0-9.-]{1,255}", re.ASCII)
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_MOST = 20


class Severity(StrEnum):
    """How urgent an alert is, the most urgent first."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class ChannelKind(StrEnum):
    """What receives the messages of a channel."""

    SLACK = "slack"
    """A webhook that understands Slack's JSON: Slack, Mattermost, Rocket.Chat and others."""
    EMAIL = "email"
    COMMAND = "command"
    """A program of this machine, which reads the message as JSON."""


_NEEDED = {
    ChannelKind.SLACK: ("secret",),
    ChannelKind.EMAIL: ("to",),
    ChannelKind.COMMAND: ("command",),
}
_COMMON = ("name", "kind", "severities", "digest", "quiet_hours")


class QuietHours(BaseModel):
    """Hours in which only critical alerts are sent; they may go past midnight."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    begin: time
    end: time

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"

    def hold(self, moment: time) -> bool:
        """Return whether a time of the day lies in them."""
        if self.begin <= self.end:
            return self.begin <= moment < self.end
        return moment >= self.begin or moment < self.end


class Channel(BaseModel):
    """Where alerts of some severities go, and when.

    `digest`: the time of day at which everything since the day before is sent at once; None: each
    alert when it opens.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    kind: ChannelKind
    secret: str = ""
    to: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = tuple(Severity)
    digest: time | None = None
    quiet_hours: QuietHours | None = None

    def __str__(self) -> str:
        words = [self.kind.value, f"severities {', '.join(self.severities)}"]
        if self.to:
            words.append(f"to {', '.join(self.to)}")
        if self.command:
            words.append(f"command {' '.join(self.command)}")
        if self.secret:
            words.append(f"secret {self.secret}")
        if self.digest:
            words.append(f"digest at {self.digest:%H:%M}")
        if self.quiet_hours:
            words.append(f"quiet {self.quiet_hours}")
        return "; ".join(words)

    @property
    def declaration(self) -> dict[str, Any]:
        """The channel as plain data, as tenants.yaml has it."""
        fields: dict[str, Any] = {"name": self.name, "kind": self.kind.value}
        fields |= {name: list(getattr(self, name)) for name in ("to", "command")}
        fields["secret"] = self.secret
        if self.severities != tuple(Severity):
            fields["severities"] = [severity.value for severity in self.severities]
        if self.digest:
            fields["digest"] = f"{self.digest:%H:%M}"
        if self.quiet_hours:
            fields["quiet_hours"] = str(self.quiet_hours)
        return {name: value for name, value in fields.items() if value}


def read_channels(raw: object, place: str) -> tuple[Channel, ...]:
    """Read the channels of a tenant.

    Raises:
        RegistryError: one breaks a rule; the message names the place.
    """
    entries = enumerate(read_entries(raw, place, _MOST), 1)
    return tuple(_read_channel(entry, f"{place}, entry {number}") for number, entry in entries)


def _read_channel(raw: object, place: str) -> Channel:
    if isinstance(raw, Channel):
        return raw
    kinds = tuple(name for names in _NEEDED.values() for name in names)
    fields = read_fields(raw, place, (*_COMMON, *kinds))
    require_fields(fields, place, ("name", "kind"))
    name = read_label(fields["name"], f"{place}: name")
    place = f"alerts.channels.{name}"
    kind = ChannelKind(read_choice(fields["kind"], f"{place}.kind", list(ChannelKind)))
    require_fields(fields, place, _NEEDED[kind])
    odd = [field for field in fields if field not in (*_COMMON, *_NEEDED[kind])]
    if odd:
        raise RegistryError(
            f"{place}.{odd[0]}: a channel of kind {kind} has no such field",
            f"one of: {', '.join((*_COMMON, *_NEEDED[kind]))}",
            "Leave it out",
        )
    values: dict[str, Any] = {"name": name, "kind": kind}
    values |= {
        field: _READERS[field](fields[field], f"{place}.{field}")
        for field in fields
        if field in _READERS
    }
    return Channel(**values)


def _read_secret(raw: object, place: str) -> str:
    if isinstance(raw, str) and "://" in raw:
        raise RegistryError(
            f"{place} is a URL",
            "the name of a secret, whose value stands in the environment of finops",
            "Replace it with a name such as slack, and set the variable that finops alerts test"
            " names",
        )
    return read_label(raw, place).replace("_", "-")


def _read_addresses(raw: object, place: str) -> tuple[str, ...]:
    addresses = read_texts(raw, place)
    for address in addresses:
        if not _ADDRESS.fullmatch(address) or not is_mail_address(address):
            refuse_value(place, address, "an e-mail address, such as finance@acme.example")
    if not addresses:
        refuse_value(place, raw, "at least one e-mail address")
    return addresses


def _read_command(raw: object, place: str) -> tuple[str, ...]:
    words = read_texts(raw, place)
    if not words or not words[0].startswith("/"):
        refuse_value(place, raw, "the absolute path of a program, and its arguments, as a list")
    return words


def _read_severities(raw: object, place: str) -> tuple[Severity, ...]:
    words = {read_choice(text, place, list(Severity)) for text in read_texts(raw, place)}
    if not words:
        refuse_value(place, raw, f"at least one of: {', '.join(Severity)}")
    return tuple(severity for severity in Severity if severity in words)


def read_clock(raw: object, place: str) -> time:
    """Read a time of day; YAML reads 22:00 without quotes as the number 1320.

    Times before 1:00 are no numbers to YAML, so that 8 can only be meant as an hour.

    Raises:
        RegistryError: it is not one.
    """
    if isinstance(raw, int) and not isinstance(raw, bool) and 60 <= raw < 24 * 60:
        return time(raw // 60, raw % 60)
    match = _CLOCK.fullmatch(raw) if isinstance(raw, str) else None
    if match is None:
        refuse_value(place, raw, 'a time of day in quotes from "00:00" to "23:59", such as "08:00"')
    return time(int(match[1]), int(match[2]))


def _read_quiet(raw: object, place: str) -> QuietHours:
    begin, dash, end = raw.partition("-") if isinstance(raw, str) else ("", "", "")
    if not dash:
        refuse_value(place, raw, 'two times of day, such as "22:00-07:00"')
    hours = QuietHours(begin=read_clock(begin.strip(), place), end=read_clock(end.strip(), place))
    if hours.begin == hours.end:
        refuse_value(place, raw, "a beginning that differs from the end")
    return hours


_READERS = {
    "secret": _read_secret,
    "to": _read_addresses,
    "command": _read_command,
    "severities": _read_severities,
    "digest": read_clock,
    "quiet_hours": _read_quiet,
}
