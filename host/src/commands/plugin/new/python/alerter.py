"""Raises an alert when somebody fails to log in."""

from dataclasses import dataclass
from typing import Annotated

from wasmill import Alert, Path, alerter


@dataclass(slots=True)
class Event:
    """What is read of an event. What may be None is None where the event has no such field, or one of another type."""

    message: str | None
    user: str | None
    host: Annotated[str | None, Path("source.host")]


def configure(config: dict) -> str:
    """What the operator may write under `config:` in the YAML file beside the plugin. An error is what the operator reads."""
    message = config.get("message", "login failed")
    if not isinstance(message, str):
        raise ValueError("message is to be what the message of a failed login begins with")
    return message


def watch(event: Event, beginning: str) -> Alert | None:
    if event.message is None or not event.message.startswith(beginning):
        return None
    user, host = event.user or "somebody", event.host or "a host without a name"
    # Alerts of one rule and key belong together.
    return Alert("login-failed", user, "warning", f"{user} on {host}: {event.message}")


Plugin, Alerter = alerter("{{name}}", "0.1.0", Event, watch, configure)
