// The component in the engine of production. `wasmill plugin test` builds it and runs them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { examples, run } from "../wasmill/testing.js";

test("example events fare as they should", () => {
  const outcomes = run(examples()).map(({ outcome, code }) => code ?? outcome);
  assert.deepEqual(outcomes, ["passed", "passed", "unknown_severity", "dropped", "passed"]);
});

test("an event without severity is rejected", () => {
  const outcomes = run([{ message: "disk is full" }, { severity: 7, message: "disk is full" }]);
  assert.deepEqual(outcomes.map(({ code }) => code), ["missing_field", "wrong_type"]);
});
