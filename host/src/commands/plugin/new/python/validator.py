"""Rejects events of unknown severity, and drops those without a message."""

from dataclasses import dataclass

from wasmill import DROP, PASS, Verdict, reject, validator


@dataclass(slots=True)
class Event:
    """What is read of an event. What may be None is None where the event has no such field, or one of another type."""

    # Required: an event without it is rejected before it comes here.
    severity: str
    message: str | None


def configure(config: dict) -> set[str]:
    """What the operator may write under `config:` in the YAML file beside the plugin. An error is what the operator reads."""
    severities = config.get("severities", ["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"])
    if not isinstance(severities, list):
        raise ValueError("severities is to be a list of texts")
    return set(severities)


def check(event: Event, severities: set[str]) -> Verdict:
    if event.severity not in severities:
        return reject("unknown_severity", f"`{event.severity}` is none of the severities known")
    return PASS if event.message else DROP


Plugin, Validator = validator("{{name}}", "0.1.0", Event, check, configure)
