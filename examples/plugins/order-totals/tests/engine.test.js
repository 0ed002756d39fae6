// The component in the engine of production. `wasmill plugin test` builds it and runs them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { examples, run } from "../wasmill/testing.js";

test("example events fare as they should", () => {
  const outcomes = run(examples()).map(({ outcome, code }) => code ?? outcome);
  assert.deepEqual(outcomes, ["passed", "passed", "wrong_total", "bad_line", "no_lines"]);
});

test("an order without total is rejected", () => {
  assert.equal(run([{ order: "A-1", lines: [] }])[0].code, "missing_field");
});

test("the operator says how many lines an order may have", () => {
  const outcomes = run(examples(), { most_lines: 1 }).map(({ outcome, code }) => code ?? outcome);
  assert.equal(outcomes[0], "too_many_lines");
});
