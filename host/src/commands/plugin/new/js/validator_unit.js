// The plugin's functions by themselves, in node.
import assert from "node:assert/strict";
import { test } from "node:test";
import { check, configure } from "../plugin.js";
import { DROP, PASS } from "../wasmill/wasmill.js";

test("only known severities with a message pass", () => {
  const config = configure({});
  assert.equal(check({ severity: "INFO", message: "request served" }, config), PASS);
  assert.equal(check({ severity: "LOUD", message: "disk is full" }, config).code, "unknown_severity");
  assert.equal(check({ severity: "WARN", message: undefined }, config), DROP);
});

test("the operator says which severities are known", () => {
  const config = configure({ severities: ["LOUD"] });
  assert.equal(check({ severity: "LOUD", message: "disk is full" }, config), PASS);
});

test("severities that are no list are refused", () => {
  assert.throws(() => configure({ severities: "INFO" }), /list of texts/);
});
