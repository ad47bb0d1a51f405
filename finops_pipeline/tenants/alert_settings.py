"""The section `alerts` of a tenant: channels, the scheduled report, and what rules compare with.

Put here: the section as classes, and the rules that make it valid. Keep out: channels themselves
(alert_channels.py), rules of alerts (marts/alert_rules), sending (channels).

The section is declared as a whole: a file that has it replaces all of it, a file without it changes
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict

from finops_pipeline.errors import RegistryError, did_you_mean
from finops_pipeline.money import plain
from finops_pipeline.tenants.alert_channels import Channel, read_channels, read_clock
from finops_pipeline.tenants.section_fields import (
    read_choice,
    read_fields,
    read_label,
    read_number,
    read_texts,
    refuse_value,
    require_fields,
    require_unique,
)

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MOST_RULES = 200


class ReportPeriod(StrEnum):
    """How often a report is sent, and what it compares."""

    DAY = "day"
    WEEK = "week"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReportSchedule(_Model):
    """When a report is sent, and over which channels. `weekday` counts for weekly reports."""

    every: ReportPeriod
    at: time
    channels: tuple[str, ...]
    weekday: str = WEEKDAYS[0]

    def __str__(self) -> str:
        day = f" on {self.weekday}" if self.every is ReportPeriod.WEEK else ""
        return f"every {self.every}{day} at {self.at:%H:%M} to {', '.join(self.channels)}"


class RuleChoice(_Model):
    """What a tenant changes about a rule: whether it runs, and what it compares with."""

    enabled: bool = True
    values: dict[str, Decimal] = {}


class AlertSettings(_Model):
    """The section; without channels, alerts are only listed."""

    time_zone: str = "UTC"
    channels: tuple[Channel, ...] = ()
    report: ReportSchedule | None = None
    rules: dict[str, RuleChoice] = {}

    def channel(self, name: str) -> Channel | None:
        """Return the channel of that name, if there is one."""
        return next((channel for channel in self.channels if channel.name == name), None)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of times of day."""
        return ZoneInfo(self.time_zone)


def read_alert_settings(raw: object) -> AlertSettings:
    """Read the section.

    Raises:
        RegistryError: it breaks a rule; the message names the place.
    """
    if isinstance(raw, AlertSettings):
        return raw
    fields = read_fields(raw, "alerts", ("time_zone", "channels", "report", "rules"))
    channels = read_channels(fields.get("channels"), "alerts.channels")
    require_unique((channel.name for channel in channels), "alerts.channels")
    settings: dict[str, Any] = {"channels": channels}
    if "time_zone" in fields:
        settings["time_zone"] = _read_zone(fields["time_zone"])
    if "report" in fields:
        settings["report"] = _read_report(fields["report"], [c.name for c in channels])
    if "rules" in fields:
        settings["rules"] = _read_rules(fields["rules"])
    return AlertSettings(**settings)


DeclaredAlerts = Annotated[AlertSettings, BeforeValidator(read_alert_settings)]


def _read_zone(raw: object) -> str:
    try:
        return ZoneInfo(raw).key if isinstance(raw, str) else refuse_value("", raw, "")
    except (ZoneInfoNotFoundError, ValueError, OSError, RegistryError):
        refuse_value("alerts.time_zone", raw, "the name of a time zone, such as Europe/Berlin")


def _read_report(raw: object, channels: list[str]) -> ReportSchedule:
    place = "alerts.report"
    if isinstance(raw, ReportSchedule):
        return raw
    fields = read_fields(raw, place, ("every", "at", "weekday", "channels"))
    require_fields(fields, place, ("every", "channels"))
    every = ReportPeriod(read_choice(fields["every"], f"{place}.every", list(ReportPeriod)))
    names = read_texts(fields["channels"], f"{place}.channels")
    for name in names:
        if name not in channels:
            raise RegistryError(
                f"{place}.channels names {name!r:.200}, which is not one of the channels",
                f"one of: {', '.join(channels) or '(none declared)'}",
                did_you_mean(name, channels) + "Declare the channel, or correct its name",
            )
    if "weekday" in fields and every is ReportPeriod.DAY:
        raise RegistryError(f"{place} has a weekday, but is sent every day", "every: week")
    return ReportSchedule(
        every=every,
        at=read_clock(fields.get("at", "08:00"), f"{place}.at"),
        channels=names,
        weekday=read_choice(fields.get("weekday", WEEKDAYS[0]), f"{place}.weekday", WEEKDAYS),
    )


def _read_rules(raw: object) -> dict[str, RuleChoice]:
    if not isinstance(raw, Mapping) or len(raw) > _MOST_RULES:
        refuse_value("alerts.rules", raw, "rules by name, such as {late_delivery: {days: 5}}")
    choices = {}
    for name, choice in raw.items():
        place = f"alerts.rules.{name}"
        read_label(name, "the name of a rule in alerts.rules")
        if isinstance(choice, RuleChoice):
            choices[name] = choice
            continue
        if not isinstance(choice, Mapping):
            refuse_value(place, choice, "fields, such as {enabled: false}")
        enabled = choice.get("enabled", True)
        if not isinstance(enabled, bool):
            refuse_value(f"{place}.enabled", enabled, "true or false")
        values = {
            read_label(key, f"a name in {place}"): read_number(value, f"{place}.{key}", "a number")
            for key, value in choice.items()
            if key != "enabled"
        }
        choices[name] = RuleChoice(enabled=enabled, values=values)
    return choices


def export_alert_settings(settings: AlertSettings) -> dict[str, Any]:
    """Return the section as plain data, as tenants.yaml has it."""
    section: dict[str, Any] = {}
    if settings.time_zone != "UTC":
        section["time_zone"] = settings.time_zone
    section["channels"] = [channel.declaration for channel in settings.channels]
    if settings.report:
        report = settings.report
        section["report"] = {
            "every": report.every.value,
            "at": f"{report.at:%H:%M}",
            "channels": list(report.channels),
        }
        if report.every is ReportPeriod.WEEK:
            section["report"]["weekday"] = report.weekday
    section["rules"] = {
        name: {key: plain(value) for key, value in choice.values.items()}
        | ({} if choice.enabled else {"enabled": False})
        for name, choice in settings.rules.items()
    }
    return {name: value for name, value in section.items() if value}


def list_alert_changes(tenant: str, old: AlertSettings, new: AlertSettings) -> list[str]:
    """Describe what changed, a line for each channel and for the rest."""
    before, after = ({c.name: str(c) for c in each.channels} for each in (old, new))
    lines = [f"+ channel {tenant}/{name}: {after[name]}" for name in after if name not in before]
    lines += [
        f"~ channel {tenant}/{name}: {before[name]} -> {after[name]}"
        for name in after
        if name in before and before[name] != after[name]
    ]
    lines += [f"- channel {tenant}/{name}" for name in before if name not in after]
    for label, earlier, later in (
        ("time zone", old.time_zone, new.time_zone),
        ("report", str(old.report or "none"), str(new.report or "none")),
        ("rules", _words(old.rules), _words(new.rules)),
    ):
        if earlier != later:
            lines.append(f"~ alerts {tenant}: {label} {earlier} -> {later}")
    return lines


def _words(rules: Mapping[str, RuleChoice]) -> str:
    words = []
    for name, choice in rules.items():
        values = [f"{key} {plain(value)}" for key, value in choice.values.items()]
        words.append(f"{name} ({', '.join([*values, *([] if choice.enabled else ['off'])])})")
    return ", ".join(words) or "as shipped"
