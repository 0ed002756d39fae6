"""Raises an alert when somebody logs in outside of office hours, by the event's own time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple

from wasmill import Alert, Path, Time, alerter

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


@dataclass(slots=True)
class Event:
    """What is read of an event. What may be None is None where the event has no such field, or one of another type."""

    action: str | None
    user: str | None
    host: Annotated[str | None, Path("source.host")]
    time_ns: Time


class Hours(NamedTuple):
    """When people work: from `begin` on, before `end`, in hours of the place that is so far from UTC."""

    days: set[int]
    begin: int
    end: int
    offset: timedelta


def configure(config: dict) -> Hours:
    """What the operator may write under `config:` in the YAML file beside the plugin. An error is what the operator reads."""
    days, begin, end = config.get("days", DAYS[:5]), config.get("begin", 7), config.get("end", 19)
    offset = config.get("utc_offset_minutes", 0)
    if not isinstance(days, list) or not all(day in DAYS for day in days):
        raise ValueError(f"days is to be a list of {', '.join(DAYS)}")
    if not all(isinstance(hour, int) and 0 <= hour <= 24 for hour in (begin, end)) or begin >= end:
        raise ValueError("begin and end are to be hours from 0 to 24, the end after the begin")
    if not isinstance(offset, int) or abs(offset) > 24 * 60:
        raise ValueError("utc_offset_minutes is to be a whole number of minutes, at most a day")
    return Hours({DAYS.index(day) for day in days}, begin, end, timedelta(minutes=offset))


def watch(event: Event, hours: Hours) -> Alert | None:
    if event.action != "login":
        return None
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event.time_ns // 1000) + hours.offset
    if local.weekday() in hours.days and hours.begin <= local.hour < hours.end:
        return None
    user, host = event.user or "somebody", event.host or "a host without a name"
    when = f"{DAYS[local.weekday()]} {local.hour:02}:{local.minute:02}"
    # Alerts of one rule and key belong together.
    return Alert("after-hours-login", user, "warning", f"{user} logged in to {host} on {when}", {"host": host})


Plugin, Alerter = alerter("after-hours", "0.1.0", Event, watch, configure)
