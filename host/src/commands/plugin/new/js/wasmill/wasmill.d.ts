// Types of wasmill.js, for editors and for TypeScript.

/** What a field is read as. `integer` and `time` (nanoseconds since 1970, of the event) are `bigint`: a number would lose digits. */
interface Values {
  text: string;
  integer: bigint;
  float: number;
  boolean: boolean;
  /** Any JSON value, parsed. */
  json: unknown;
  /** The whole payload, as it came. */
  raw: string;
  /** The whole payload, parsed. Costs much more than the fields that are needed. */
  document: Record<string, any>;
  time: bigint;
}

export interface ReadField {
  readonly kind: keyof Values;
  /** Keys joined by `.`; a dot or backslash inside a key is written with a backslash before it. The field's own name unless it is said. */
  readonly path?: string;
  /** Validators only: the host rejects an event without it (`missing_field`) before it comes here. */
  readonly required?: boolean;
  /** The value is the answer to this look-up for the text at `path`; needs the grant of the same name. */
  readonly lookup?: "reverse-dns";
}

export interface WrittenField {
  readonly kind: "text" | "integer" | "float" | "boolean" | "json";
  readonly path?: string;
}

/** One event: the fields that are read. One that is absent, null or of another type is `undefined`. */
export type Event<Reads extends Record<string, ReadField>> = {
  [Name in keyof Reads]: Reads[Name] extends { kind: "time" | "raw" | "document" } | { required: true }
    ? Values[Reads[Name]["kind"]]
    : Values[Reads[Name]["kind"]] | undefined;
};

/** What an enricher writes. `undefined` leaves a field as it is, `null` is written as null. */
export type Written<Writes extends Record<string, WrittenField>> = {
  [Name in keyof Writes]?: (Writes[Name]["kind"] extends "integer" ? bigint | number : Values[Writes[Name]["kind"]]) | null;
};

export interface Verdict {
  readonly action: number;
  readonly code?: string;
  readonly reason?: string;
}

export interface Alert {
  rule: string;
  /** Alerts of one rule and key belong together. */
  key: string;
  severity: "info" | "warning" | "error" | "critical";
  summary: string;
  labels?: Record<string, string>;
}

interface Definition<Reads extends Record<string, ReadField>, Config> {
  name: string;
  version: string;
  reads: Reads;
  /** Makes the plugin's configuration of what stands under `config:`. An error that is thrown is the sentence that the operator reads. */
  configure?(config: any): Config;
}

export const PASS: Verdict;
export const DROP: Verdict;
export function reject(code: string, reason: string): Verdict;

export function defineValidator<const Reads extends Record<string, ReadField>, Config>(
  definition: Definition<Reads, Config> & { check(event: Event<Reads>, config: Config): Verdict },
): { plugin: object; validator: object };

export function defineEnricher<
  const Reads extends Record<string, ReadField>,
  const Writes extends Record<string, WrittenField>,
  Config,
>(
  definition: Definition<Reads, Config> & {
    writes: Writes;
    enrich(event: Event<Reads>, config: Config): Written<Writes> | undefined;
  },
): { plugin: object; enricher: object };

export function defineAlerter<const Reads extends Record<string, ReadField>, Config>(
  definition: Definition<Reads, Config> & {
    watch(event: Event<Reads>, config: Config): Alert | Alert[] | undefined;
  },
): { plugin: object; alerter: object };
