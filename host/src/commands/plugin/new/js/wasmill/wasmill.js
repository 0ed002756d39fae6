// What a plugin is written with: a plugin says which fields it reads, and has one function that is called with one event.
//
// A batch crosses as columns (see wit/plugin.wit), because bytes cost almost nothing and lists cost much. Here the fields of each event are
// taken out of them, and what the function answers is put together for the host.

/** Verdict: the event goes on. */
export const PASS = Object.freeze({ action: 0 });
/** Verdict: the event is not interesting. It is counted, and nothing else. */
export const DROP = Object.freeze({ action: 1 });
const REJECT = 2;
/** The host keeps no more of a reason (`limits.reason_bytes`), and each character that crosses costs fuel. */
const REASON_CHARS_MAX = 1024;

/** Verdict: the event is a dead letter. `code` is a short stable word such as `bad_severity`, `reason` a sentence for people. */
export function reject(code, reason) {
  return { action: REJECT, code, reason: reason.slice(0, REASON_CHARS_MAX) };
}

/** A validator: `check(event, config)` gives `PASS`, `DROP` or `reject(code, reason)`. */
export function defineValidator({ check, ...definition }) {
  const { plugin, each } = define(definition);
  const validate = (batch) => {
    const actions = new Uint8Array(batch.events);
    const rejections = [];
    each(batch, (fields, config, event, unfit) => {
      const verdict = unfit ? reject("wrong_type", unfit) : check(fields, config);
      if (verdict === PASS) return;
      if (verdict !== DROP && verdict?.action !== REJECT) {
        throw new Error("check gives neither PASS, DROP nor reject(code, reason)");
      }
      actions[event] = verdict.action;
      if (verdict.action === REJECT) rejections.push({ event, code: verdict.code, reason: verdict.reason });
    });
    return { actions, rejections };
  };
  return { plugin, validator: { validate } };
}

/**
 * An enricher: `enrich(event, config)` gives an object with the fields of `writes`. One that is absent or `undefined` stays as it is, `null` is
 * written as null.
 */
export function defineEnricher({ enrich, writes, ...definition }) {
  const written = Object.entries(writes).map(([name, field]) => {
    const write = WRITERS[field.kind] ?? refuse(name, field.kind, Object.keys(WRITERS));
    return { name, write, path: field.path ?? name, kind: field.kind };
  });
  const { plugin, each } = define(definition, written);
  const columns = (batch) => {
    const out = new Columns(batch.events * written.length);
    each(batch, (fields, config, event) => {
      const values = enrich(fields, config) ?? {};
      written.forEach(({ name, write }, number) => {
        const value = values[name];
        if (value !== undefined) out.put(event * written.length + number, value, write);
      });
    });
    return out.done();
  };
  return { plugin, enricher: { enrich: columns } };
}

/** An alerter: `watch(event, config)` gives nothing, an alert, or a list of alerts. */
export function defineAlerter({ watch, ...definition }) {
  const { plugin, each } = define(definition);
  const evaluate = (batch) => {
    const alerts = [];
    each(batch, (fields, config, event) => {
      for (const alert of [watch(fields, config) ?? []].flat()) {
        const labels = Object.entries(alert.labels ?? {}).map(([name, value]) => ({ name, value }));
        alerts.push({ ...alert, event, labels });
      }
    });
    return { alerts };
  };
  return { plugin, alerter: { evaluate } };
}

/** What all kinds have in common: `configure`, and a walk over the events of a batch. */
function define({ name, version, reads, configure = (config) => config }, written = []) {
  const fields = Object.entries(reads).map(([field, { kind, path = field, required = false, lookup }]) => {
    const read = READERS[kind] ?? refuse(field, kind, Object.keys(READERS));
    const crosses = CROSSES_AS[kind] ?? kind;
    return { name: field, read, crosses, path: crosses === "raw" ? "" : path, required, lookup };
  });
  // The event's time comes with each batch, and is no column.
  const columns = fields.filter(({ crosses }) => crosses !== "time");
  const times = fields.filter(({ crosses }) => crosses === "time");
  const manifest = {
    name,
    version,
    reads: columns.map(({ path, crosses: kind, required, lookup }) => ({ path, kind, required, lookup })),
    writes: written.map(({ path, kind }) => ({ path, kind, required: false, lookup: undefined })),
    state: undefined,
  };
  let config;
  const plugin = {
    configure(text) {
      try {
        config = configure(JSON.parse(text));
      } catch (error) {
        // A text that is thrown is the sentence that the operator reads.
        throw error instanceof Error ? error.message : String(error);
      }
      return manifest;
    },
  };
  const each = (batch, use) => {
    const view = new View(batch);
    for (let event = 0; event < batch.events; event++) {
      try {
        const values = view.event(event, columns, times);
        use(values, config, event, view.unfit);
      } catch (error) {
        // The trap that follows says nothing by itself.
        console.error(`${error}${error?.stack ? ` at ${error.stack.split("\n")[0]}` : ""}`);
        throw error;
      }
    }
  };
  return { plugin, each };
}

function refuse(field, kind, kinds) {
  throw new Error(`the field "${field}" has the kind "${kind}"; there are ${kinds.join(", ")}`);
}

/** Kinds that are read as another one crosses. */
const CROSSES_AS = { document: "raw" };
const READERS = {
  text: (view, slot) => view.text(slot),
  integer: (view, slot) => view.integers[slot],
  float: (view, slot) => view.floats[slot],
  boolean: (view, slot) => view.halves[2 * slot] === 1,
  json: (view, slot) => JSON.parse(view.text(slot)),
  raw: (view, slot) => view.text(slot),
  document: (view, slot) => JSON.parse(view.text(slot)),
  time: (view, event) => view.times[event],
};

const NOUNS = { text: "text", integer: "an integer", float: "a number", boolean: "a boolean", json: "a JSON value" };
const PRESENT = 2;

/**
 * A batch as it crossed. Slots are looked at as what they hold: `BigInt` is slow here, and so are `for (const { ... } of ...)` and texts that are parts
 * of others.
 */
class View {
  constructor({ text, slots, states, times }) {
    const { buffer, byteOffset, length } = slots;
    this.bytes = text;
    this.times = times;
    this.integers = new BigInt64Array(buffer, byteOffset, length);
    this.floats = new Float64Array(buffer, byteOffset, length);
    this.halves = new Uint32Array(buffer, byteOffset, 2 * length);
    this.states = new Uint32Array(states.buffer, states.byteOffset, 2 * states.length);
  }

  /** The fields of an event by their names. */
  event(number, columns, times) {
    const values = {};
    this.unfit = undefined;
    const first = number * columns.length;
    for (let column = 0; column < columns.length; column++) {
      const { name, read, required, path, crosses } = columns[column];
      const slot = first + column;
      if (this.isPresent(slot)) values[name] = read(this, slot);
      // The host has seen to it that what is required is there; but it may be of another type.
      else if (required && this.unfit === undefined) this.unfit = `the field \`${path}\` is not ${NOUNS[crosses]}`;
      else values[name] = undefined;
    }
    for (let field = 0; field < times.length; field++) values[times[field].name] = times[field].read(this, number);
    return values;
  }

  isPresent(slot) {
    return this.states.length === 0 || ((this.states[slot >>> 4] >>> (2 * (slot & 15))) & 3) === PRESENT;
  }

  text(slot) {
    const from = this.halves[2 * slot + 1];
    return DECODER.decode(this.bytes.subarray(from, from + this.halves[2 * slot]));
  }
}

// A text may begin with a byte order mark, and keeps it.
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });
const ENCODER = new TextEncoder();

const WRITERS = {
  text: (columns, value) => columns.text(String(value)),
  integer: (_, value) => BigInt.asUintN(64, BigInt(value)),
  float: (_, value) => new BigUint64Array(Float64Array.of(Number(value)).buffer)[0],
  boolean: (_, value) => (value ? 1n : 0n),
  json: (columns, value) => columns.text(JSON.stringify(value)),
};

/** Written fields, as they cross. */
class Columns {
  constructor(slots) {
    this.slots = new BigUint64Array(slots);
    this.states = new BigUint64Array(Math.ceil(slots / 32));
    this.parts = [];
    this.length = 0;
  }

  put(slot, value, write) {
    const state = value === null ? 1n : 2n;
    this.states[slot >>> 5] |= state << BigInt(2 * (slot & 31));
    if (value !== null) this.slots[slot] = write(this, value);
  }

  text(value) {
    const bytes = ENCODER.encode(value);
    const slot = (BigInt(this.length) << 32n) | BigInt(bytes.length);
    this.parts.push(bytes);
    this.length += bytes.length;
    return slot;
  }

  done() {
    const text = new Uint8Array(this.length);
    let end = 0;
    for (const part of this.parts) {
      text.set(part, end);
      end += part.length;
    }
    return { text, slots: this.slots, states: this.states };
  }
}
