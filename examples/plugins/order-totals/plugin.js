// Rejects orders whose total is not the sum of their lines. Amounts are in the smallest unit of their currency, such as cents.
// @ts-check
import { PASS, defineValidator, reject } from "./wasmill/wasmill.js";

const reads = /** @type {const} */ ({
  // Required: an order without them is rejected before it comes here.
  order: { kind: "text", required: true },
  total: { kind: "integer", required: true },
  lines: { kind: "json", required: true },
});

/**
 * What the operator may write under `config:` in the YAML file beside the plugin. An error is what the operator reads.
 * @param {{ most_lines?: number, tolerance?: number }} config
 */
export function configure({ most_lines = 500, tolerance = 0 }) {
  if (!Number.isInteger(most_lines) || most_lines < 1) throw new Error("most_lines is to be a whole number, 1 at least");
  if (!Number.isInteger(tolerance) || tolerance < 0) throw new Error("tolerance is to be a whole number, 0 at least");
  return { mostLines: most_lines, tolerance };
}

/**
 * @param {import("./wasmill/wasmill.js").Event<typeof reads>} event
 * @param {ReturnType<typeof configure>} config
 */
export function check({ total, lines }, { mostLines, tolerance }) {
  if (!Array.isArray(lines) || lines.length === 0) return reject("no_lines", "lines is no list, or an empty one");
  if (lines.length > mostLines) return reject("too_many_lines", `${lines.length} lines, and ${mostLines} are allowed`);
  let sum = 0;
  for (let number = 0; number < lines.length; number++) {
    const amount = lines[number]?.quantity * lines[number]?.price;
    if (!isCount(lines[number]?.quantity) || !isCount(lines[number]?.price) || !Number.isSafeInteger(sum + amount)) {
      return reject("bad_line", `line ${number + 1} has no quantity and price that are whole numbers`);
    }
    sum += amount;
  }
  const difference = Number(total) - sum;
  if (Math.abs(difference) > tolerance) return reject("wrong_total", `the total is ${total}, and the lines come to ${sum}`);
  return PASS;
}

/** @param {unknown} value */
function isCount(value) {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

export const { plugin, validator } = defineValidator({ name: "order-totals", version: "0.1.0", reads, configure, check });
