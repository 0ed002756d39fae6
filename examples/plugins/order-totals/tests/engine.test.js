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

test("a configuration that makes no sense is refused", () => {
  assert.throws(() => run(examples(), { most_lines: 0 }), /1 at least/);
});
