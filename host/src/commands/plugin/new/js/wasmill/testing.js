// Runs the component in the engine of production, by the `wasmill` program. `wasmill plugin test` says which program and which component.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const PROGRAM = process.env.WASMILL_BIN ?? "wasmill";
const { name } = JSON.parse(readFileSync("package.json", "utf8"));
const COMPONENT = process.env.WASMILL_PLUGIN ?? `target/plugins/${name}.wasm`;

/** What becomes of each event (a text of JSON, or what is made into one): `{ outcome, payload, code, reason, alerts }`. */
export function run(events, config) {
  const lines = events.map((event) => (typeof event === "string" ? event : JSON.stringify(event)));
  const options = ["plugin", "run", COMPONENT, "--format", "json"];
  if (config !== undefined) options.push("--config", JSON.stringify(config));
  const { status, stdout, stderr, error } = spawnSync(PROGRAM, options, { input: `${lines.join("\n")}\n`, encoding: "utf8" });
  if (error) throw new Error(`cannot run ${PROGRAM}: put it on the PATH, or run \`wasmill plugin test\``, { cause: error });
  if (status !== 0) throw new Error(stderr);
  return stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
}

/** The events of `events.jsonl`. */
export function examples() {
  return readFileSync("events.jsonl", "utf8").trimEnd().split("\n");
}
