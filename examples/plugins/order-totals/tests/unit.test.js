// The plugin's functions by themselves, in node.
import assert from "node:assert/strict";
import { test } from "node:test";
import { check, configure } from "../plugin.js";
import { PASS } from "../wasmill/wasmill.js";

const order = (total, ...lines) => ({ order: "A-1", total, lines });

test("a total is the sum of quantities and prices", () => {
  const config = configure({});
  assert.equal(check(order(2599n, { quantity: 2, price: 1000 }, { quantity: 1, price: 599 }), config), PASS);
  assert.equal(check(order(2600n, { quantity: 2, price: 1000 }), config).code, "wrong_total");
  assert.equal(check(order(2001n, { quantity: 2, price: 1000 }), configure({ tolerance: 1 })), PASS);
});

test("lines that cannot be added up are told by their number", () => {
  const config = configure({});
  for (const bad of [null, 7, {}, { quantity: "2", price: 1 }, { quantity: -1, price: 1 }, { quantity: 2, price: 1e300 }]) {
    const verdict = check(order(0n, { quantity: 0, price: 0 }, bad), config);
    assert.equal(verdict.code, "bad_line");
    assert.match(verdict.reason ?? "", /line 2/);
  }
  assert.equal(check(order(0n), config).code, "no_lines");
  assert.equal(check({ order: "A-1", total: 0n, lines: "none" }, config).code, "no_lines");
});

test("there are as many lines as the operator allows", () => {
  const lines = [{ quantity: 0, price: 0 }, { quantity: 0, price: 0 }];
  assert.equal(check(order(0n, ...lines), configure({ most_lines: 2 })), PASS);
  assert.equal(check(order(0n, ...lines), configure({ most_lines: 1 })).code, "too_many_lines");
  assert.throws(() => configure({ most_lines: 0 }), /1 at least/);
});
