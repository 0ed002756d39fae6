// The component in the engine of production. `wasmill plugin test` builds it and runs them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { examples, run } from "../wasmill/testing.js";

test("example events fare as they should", () => {
  const zones = run(examples()).map(({ payload }) => payload.source.zone);
  assert.deepEqual(zones, ["inside", "outside", "inside", undefined, "outside"]);
});

test("an event without address stays as it is", () => {
  assert.deepEqual(run([{ source: {} }])[0].payload, { source: {} });
});
