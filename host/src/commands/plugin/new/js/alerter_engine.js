// The component in the engine of production. `wasmill plugin test` builds it and runs them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { examples, run } from "../wasmill/testing.js";

test("example events fare as they should", () => {
  const outcomes = run(examples());
  assert.ok(outcomes.every(({ outcome }) => outcome === "passed"));
  assert.deepEqual(outcomes.flatMap(({ alerts }) => alerts).map(({ key }) => key), ["root", "somebody"]);
});

test("other events raise nothing", () => {
  assert.ok(run([{ message: 7 }, {}]).every(({ alerts }) => alerts.length === 0));
});
