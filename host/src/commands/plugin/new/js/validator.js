// Rejects events of unknown severity, and drops those without a message.
// @ts-check
import { DROP, PASS, defineValidator, reject } from "./wasmill/wasmill.js";

const reads = /** @type {const} */ ({
  // A field that is required: an event without it is rejected before it comes here.
  severity: { kind: "text", required: true },
  // Another one is `undefined` where the event has no such field, or one of another type.
  message: { kind: "text" },
});

/**
 * What the operator may write under `config:` in the YAML file beside the plugin. An error is what the operator reads.
 * @param {{ severities?: string[] }} config
 */
export function configure({ severities = ["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"] }) {
  if (!Array.isArray(severities)) throw new Error("severities is to be a list of texts");
  return { severities: new Set(severities) };
}

/**
 * @param {import("./wasmill/wasmill.js").Event<typeof reads>} event
 * @param {ReturnType<typeof configure>} config
 */
export function check(event, { severities }) {
  if (!severities.has(event.severity)) {
    return reject("unknown_severity", `\`${event.severity}\` is none of the severities known`);
  }
  return event.message ? PASS : DROP;
}

export const { plugin, validator } = defineValidator({ name: "{{name}}", version: "0.1.0", reads, configure, check });
