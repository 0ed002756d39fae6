// Raises an alert when somebody fails to log in.
// @ts-check
import { defineAlerter } from "./wasmill/wasmill.js";

// A field is `undefined` where the event has none, or one of another type.
const reads = /** @type {const} */ ({
  message: { kind: "text" },
  user: { kind: "text" },
  host: { kind: "text", path: "source.host" },
});

/**
 * What the operator may write under `config:` in the YAML file beside the plugin. An error is what the operator reads.
 * @param {{ message?: string }} config
 */
export function configure({ message = "login failed" }) {
  if (typeof message !== "string") throw new Error("message is to be what the message of a failed login begins with");
  return { beginning: message };
}

/**
 * @param {import("./wasmill/wasmill.js").Event<typeof reads>} event
 * @param {ReturnType<typeof configure>} config
 * @returns {import("./wasmill/wasmill.js").Alert | undefined}
 */
export function watch({ message, user = "somebody", host = "a host without a name" }, { beginning }) {
  if (!message?.startsWith(beginning)) return undefined;
  // Alerts of one rule and key belong together.
  return { rule: "login-failed", key: user, severity: "warning", summary: `${user} on ${host}: ${message}` };
}

export const { plugin, alerter } = defineAlerter({ name: "{{name}}", version: "0.1.0", reads, configure, watch });
