// What the component is made of: the plugin, with the console's lines as lines of the log. The plugin itself knows nothing of the host, so that its
// unit tests run without one.
import { log } from "wasmill:plugin/log@0.1.0";

const line = (level) => (...values) => log(level, values.map(String).join(" "));
Object.assign(console, {
  trace: line("trace"),
  debug: line("debug"),
  log: line("info"),
  info: line("info"),
  warn: line("warn"),
  error: line("error"),
});

// There is no clock and no chance. Left alone, the clock would tell when the component was built, and numbers would be the same in each batch.
const none = (what, instead) => () => {
  throw new Error(`there is no ${what} in a plugin: ${instead}`);
};
const noTime = none("clock", "read the event's own time, a field of the kind `time`");
const noTimer = none("timer", "a plugin answers at once");
const noChance = none("chance", "derive the number from the event");
globalThis.Date = new Proxy(Date, {
  apply: noTime,
  construct: (date, given, by) => (given.length === 0 ? noTime() : Reflect.construct(date, given, by)),
});
Date.now = noTime;
performance.now = noTime;
Object.assign(globalThis, { setTimeout: noTimer, setInterval: noTimer });
Math.random = noChance;
Object.assign(crypto, { getRandomValues: noChance, randomUUID: noChance });

export { plugin, {{kind}} } from "../plugin.js";
