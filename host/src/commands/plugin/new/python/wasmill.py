"""What a plugin is written with: a plugin says which fields it reads, and has one function that is called with one event.

A batch crosses as columns (see wit/plugin.wit), because bytes cost almost nothing and lists cost much. Here the fields of each event are taken
out of them, and what the function answers is put together for the host.
"""

import json
import struct
import sys
import types as python
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

try:
    from componentize_py_types import Err
    from wit_world.imports import log, types
except ImportError:
    # In unit tests, which run without a host.
    log = types = None


class Path(NamedTuple):
    """Where a field is: `Annotated[str | None, Path("source.ip")]`. Keys are joined by dots. Unless it is said, the field's own name."""

    keys: str


class Kind(Enum):
    """What is not told by a Python type."""

    JSON = "json"
    DOCUMENT = "document"
    TIME = "time"
    REVERSE_DNS = "reverse-dns"


#: Any JSON value, parsed; `None` where there is none.
Json = Annotated[Any, Kind.JSON]
#: The whole payload, parsed. Costs much more than the fields that are needed.
Document = Annotated[dict, Kind.DOCUMENT]
#: The event's own time, nanoseconds since 1970.
Time = Annotated[int, Kind.TIME]
#: The name of the address in the field; needs the grant `reverse-dns`.
ReverseDns = Annotated[str | None, Kind.REVERSE_DNS]


class Verdict(NamedTuple):
    """What becomes of an event: `PASS`, `DROP` or what `reject` gives."""

    action: int
    code: str = ""
    reason: str = ""


#: The event goes on.
PASS = Verdict(0)
#: The event is not interesting. It is counted, and nothing else.
DROP = Verdict(1)
_REJECT = 2
#: The host keeps no more of a reason (`limits.reason_bytes`), and each character that crosses costs fuel.
_REASON_CHARS_MAX = 1024


def reject(code: str, reason: str) -> Verdict:
    """The event is a dead letter. `code` is a short stable word such as `bad_severity`, `reason` a sentence for people."""
    return Verdict(_REJECT, code, reason[:_REASON_CHARS_MAX])


@dataclass
class Alert:
    """What an alerter raises. Alerts of one rule and key belong together."""

    rule: str
    key: str
    severity: Literal["info", "warning", "error", "critical"]
    summary: str
    labels: dict[str, str] = field(default_factory=dict)


def validator(name: str, version: str, event: type, check: Callable, configure: Callable = dict) -> tuple[type, type]:
    """A validator: `check(event, config)` gives `PASS`, `DROP` or `reject(code, reason)`."""
    plugin = _Definition(name, version, event, configure)

    class Validator:
        def validate(self, batch):
            actions = bytearray(batch.events)
            rejections = []

            def judge(number, fields, unfit):
                verdict = reject("wrong_type", unfit) if unfit else check(fields, plugin.config)
                if not isinstance(verdict, Verdict):
                    raise TypeError("check gives neither PASS, DROP nor reject(code, reason)")
                actions[number] = verdict.action
                if verdict.action == _REJECT:
                    rejections.append(types.Rejection(number, verdict.code, verdict.reason))

            plugin.each(batch, judge)
            return types.Verdicts(bytes(actions), rejections)

    return plugin.exported(), Validator


def enricher(name: str, version: str, event: type, output: type, enrich: Callable, configure: Callable = dict) -> tuple[type, type]:
    """An enricher: `enrich(event, config)` gives an `output`, or `None`. A field of it that is `None` stays as it is."""
    plugin = _Definition(name, version, event, configure, output)

    class Enricher:
        def enrich(self, batch):
            columns = _Columns(batch.events * len(plugin.writes))

            def write(number, fields, _):
                written = enrich(fields, plugin.config)
                for column, one in enumerate(plugin.writes if written is not None else ()):
                    value = getattr(written, one.name)
                    if value is not None:
                        columns.put(number * len(plugin.writes) + column, one.kind, value)

            plugin.each(batch, write)
            return columns.done()

    return plugin.exported(), Enricher


def alerter(name: str, version: str, event: type, watch: Callable, configure: Callable = dict) -> tuple[type, type]:
    """An alerter: `watch(event, config)` gives `None`, an `Alert`, or a list of them."""
    plugin = _Definition(name, version, event, configure)

    class Alerter:
        def evaluate(self, batch):
            alerts = []

            def evaluate(number, fields, _):
                raised = watch(fields, plugin.config) or []
                for alert in raised if isinstance(raised, list) else [raised]:
                    severity = types.Severity[alert.severity.upper()]
                    labels = [types.Label(name, value) for name, value in alert.labels.items()]
                    alerts.append(types.Alert(number, alert.rule, alert.key, severity, alert.summary, labels))

            plugin.each(batch, evaluate)
            return types.Evaluation(alerts)

    return plugin.exported(), Alerter


class _Field(NamedTuple):
    name: str
    path: str
    kind: str
    required: bool
    lookup: bool


#: Kinds that are read as another one crosses.
_CROSSES_AS = {"document": "raw"}
_NOUNS = {"text": "text", "integer": "an integer", "float": "a number", "boolean": "a boolean"}
_KINDS = {str: "text", int: "integer", float: "float", bool: "boolean", bytes: "raw"}


def _fields(declared: type) -> Iterator[_Field]:
    """The fields that a class declares by its annotations."""
    for name, hint in get_type_hints(declared, include_extras=True).items():
        extras = [extra for extra in get_args(hint)[1:] if get_origin(hint) is Annotated]
        hint = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        is_union = get_origin(hint) in (Union, python.UnionType)
        if is_union and Annotated in (get_origin(one) for one in get_args(hint)):
            raise TypeError(f"the field {name} may be None by itself: leave out `| None`")
        kinds = [one for one in get_args(hint) if one is not python.NoneType] if is_union else [hint]
        path = next((extra.keys for extra in extras if isinstance(extra, Path)), name)
        marked = next((extra.value for extra in extras if isinstance(extra, Kind)), None)
        lookup = marked == "reverse-dns"
        kind = "text" if lookup else marked or (_KINDS.get(kinds[0]) if len(kinds) == 1 else None)
        if kind is None:
            raise TypeError(f"the field {name} is to be a str, int, float, bool or bytes, also `| None`, Json, Document, Time or ReverseDns")
        is_whole = kind in ("raw", "document")
        required = not (is_union or is_whole or kind in ("json", "time") or lookup)
        yield _Field(name, "" if is_whole else path, kind, required, lookup)


class _Definition:
    """What all kinds have in common: `configure`, and a walk over the events of a batch."""

    def __init__(self, name: str, version: str, event: type, configure: Callable, output: type | None = None):
        self.name, self.version, self.event, self.configure = name, version, event, configure
        self.fields = list(_fields(event))
        self.writes = list(_fields(output)) if output else []
        # The event's time comes with each batch, and is no column. Only the fields of validators can be required.
        self.columns = [one for one in self.fields if one.kind != "time"]
        self.config = None

    def exported(self) -> type:
        definition = self

        class Plugin:
            def configure(self, config):
                try:
                    definition.config = definition.configure(json.loads(config))
                except Exception as error:
                    # The sentence that the operator reads.
                    raise Err(str(error) or repr(error)) from error
                return definition.manifest()

        return Plugin

    def manifest(self):
        def crosses(one, required):
            kind = types.FieldKind[_CROSSES_AS.get(one.kind, one.kind).upper()]
            return types.Field(one.path, kind, required, types.Lookup.REVERSE_DNS if one.lookup else None)

        reads = [crosses(one, one.required) for one in self.columns]
        return types.Manifest(self.name, self.version, reads, [crosses(one, False) for one in self.writes], None)

    def each(self, batch, use: Callable):
        """Calls `use(number, event, unfit)` for each event; `unfit` says which required field is of another type."""
        readers = [(one, one.kind == "time", _READERS[one.kind]) for one in self.fields]
        slot = 0
        for number in range(batch.events):
            values, unfit = [], None
            for one, is_time, read in readers:
                if is_time:
                    values.append(batch.times[number])
                    continue
                # States are two bits a slot; 2 is a value that is present.
                is_present = not batch.states or (batch.states[slot >> 5] >> (2 * (slot & 31))) & 3 == 2
                values.append(read(batch.text, batch.slots[slot]) if is_present else None)
                slot += 1
                # The host has seen to it that what is required is there; but it may be of another type.
                if one.required and not is_present and unfit is None:
                    unfit = f"the field `{one.path}` is not {_NOUNS[one.kind]}"
            try:
                use(number, self.event(*values), unfit)
            except Exception as error:
                # The trap that follows says nothing by itself.
                print(_told(error), file=sys.stderr)
                raise


def _told(error: Exception) -> str:
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    return f"{type(error).__name__}: {error} at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


def _bytes(text: bytes, slot: int) -> bytes:
    start = slot >> 32
    return text[start : start + (slot & 0xFFFFFFFF)]


_READERS: dict[str, Callable | None] = {
    "text": lambda text, slot: _bytes(text, slot).decode(),
    "integer": lambda _, slot: slot - (1 << 64) if slot >> 63 else slot,
    "float": lambda _, slot: struct.unpack("<d", slot.to_bytes(8, "little"))[0],
    "boolean": lambda _, slot: slot == 1,
    "json": lambda text, slot: json.loads(_bytes(text, slot)),
    "raw": _bytes,
    "document": lambda text, slot: json.loads(_bytes(text, slot)),
    "time": None,
}
_NUMBERS: dict[str, Callable[[Any], int]] = {
    "integer": lambda value: value & 0xFFFFFFFFFFFFFFFF,
    "float": lambda value: int.from_bytes(struct.pack("<d", value), "little"),
    "boolean": int,
}


class _Columns:
    """Written fields, as they cross."""

    def __init__(self, slots: int):
        self.text = bytearray()
        self.slots = [0] * slots
        self.states = [0] * ((slots + 31) // 32)

    def put(self, slot: int, kind: str, value):
        self.states[slot >> 5] |= 2 << (2 * (slot & 31))
        if kind in _NUMBERS:
            self.slots[slot] = _NUMBERS[kind](value)
            return
        text = (json.dumps(value) if kind == "json" else value).encode()
        self.slots[slot] = len(self.text) << 32 | len(text)
        self.text += text

    def done(self):
        return types.Columns(bytes(self.text), self.slots, self.states)


class _Lines:
    """What is printed, as lines of the log: there is no terminal."""

    def __init__(self, level):
        self.level = level
        self.begun = ""

    def write(self, text: str) -> int:
        *lines, self.begun = (self.begun + text).split("\n")
        for line in lines:
            log.log(self.level, line)
        return len(text)

    def flush(self):
        if self.begun:
            self.write("\n")


if log is not None:
    sys.stdout, sys.stderr = _Lines(types.Level.INFO), _Lines(types.Level.ERROR)
