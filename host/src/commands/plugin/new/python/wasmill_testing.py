"""Runs the component in the engine of production, by the `wasmill` program. `wasmill plugin test` says which program and which component."""

import json
import os
import subprocess
from pathlib import Path


def run(events: list, config: dict | None = None) -> list[dict]:
    """What becomes of each event (a text of JSON, or what is made into one): `outcome`, `payload`, `code`, `reason`, `alerts`."""
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    component = os.environ.get("WASMILL_PLUGIN") or str(next(Path("target/plugins").glob("*.wasm")))
    command = [os.environ.get("WASMILL_BIN", "wasmill"), "plugin", "run", component, "--format", "json"]
    if config is not None:
        command += ["--config", json.dumps(config)]
    ran = subprocess.run(command, input="\n".join([*lines, ""]), capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise RuntimeError(ran.stderr)
    return [json.loads(line) for line in ran.stdout.splitlines()]


def examples() -> list[str]:
    """The events of `events.jsonl`."""
    return Path("events.jsonl").read_text().splitlines()
