// The plugin's functions by themselves, in node.
import assert from "node:assert/strict";
import { test } from "node:test";
import { configure, watch } from "../plugin.js";

test("failed logins are told with their user", () => {
  const config = configure({});
  assert.equal(watch({ message: "request served" }, config), undefined);
  assert.equal(watch({ message: "login failed", user: "ann" }, config)?.key, "ann");
});
