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

export { plugin, {{kind}} } from "../plugin.js";
