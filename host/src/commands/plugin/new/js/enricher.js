// Writes whether an event came from inside: `source.zone`.
// @ts-check
import { defineEnricher } from "./wasmill/wasmill.js";

// A field is `undefined` where the event has none, or one of another type.
const reads = /** @type {const} */ ({ ip: { kind: "text", path: "source.ip" } });
const writes = /** @type {const} */ ({ zone: { kind: "text", path: "source.zone" } });

/**
 * What the operator may write under `config:` in the YAML file beside the plugin. An error is what the operator reads.
 * @param {{ inside?: string }} config
 */
export function configure({ inside = "10." }) {
  if (typeof inside !== "string") throw new Error("inside is to be what the addresses inside begin with");
  return { inside };
}

/**
 * @param {import("./wasmill/wasmill.js").Event<typeof reads>} event
 * @param {ReturnType<typeof configure>} config
 */
export function enrich({ ip }, { inside }) {
  // What is `undefined` stays as it is.
  return { zone: ip && (ip.startsWith(inside) ? "inside" : "outside") };
}

export const { plugin, enricher } = defineEnricher({ name: "{{name}}", version: "0.1.0", reads, writes, configure, enrich });
