"""Writes whether an event came from inside: `source.zone`."""

from dataclasses import dataclass
from typing import Annotated

from wasmill import Path, enricher


@dataclass(slots=True)
class Event:
    """What is read of an event. What may be None is None where the event has no such field, or one of another type."""

    ip: Annotated[str | None, Path("source.ip")]


@dataclass(slots=True)
class Added:
    """What is written to it. None leaves the field as it is."""

    zone: Annotated[str | None, Path("source.zone")]


def configure(config: dict) -> str:
    """What the operator may write under `config:` in the YAML file beside the plugin. An error is what the operator reads."""
    inside = config.get("inside", "10.")
    if not isinstance(inside, str):
        raise ValueError("inside is to be what the addresses inside begin with")
    return inside


def enrich(event: Event, inside: str) -> Added | None:
    if event.ip is None:
        return None
    return Added("inside" if event.ip.startswith(inside) else "outside")


Plugin, Enricher = enricher("{{name}}", "0.1.0", Event, Added, enrich, configure)
