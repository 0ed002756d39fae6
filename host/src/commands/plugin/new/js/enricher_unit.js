// The plugin's functions by themselves, in node.
import assert from "node:assert/strict";
import { test } from "node:test";
import { configure, enrich } from "../plugin.js";

test("zone is that of the address", () => {
  const config = configure({ inside: "192.0.2." });
  assert.deepEqual(enrich({ ip: "192.0.2.9" }, config), { zone: "inside" });
  assert.deepEqual(enrich({ ip: "10.1.2.3" }, config), { zone: "outside" });
});
