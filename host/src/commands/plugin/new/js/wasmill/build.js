// Makes the component, with its settings beside it, and prints where it is.
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const { name } = JSON.parse(await readFile("package.json", "utf8"));
const file = `target/plugins/${name}.wasm`;
const { component } = await componentize({
  sourcePath: "wasmill/entry.js",
  witPath: "wit",
  worldName: "{{kind}}-plugin",
  // A plugin is granted none of these; without them it imports nothing but its own interface.
  disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
});
await mkdir("target/plugins", { recursive: true });
await writeFile(file, component);
await copyFile(`${name}.yaml`, `target/plugins/${name}.yaml`);
console.log(file);
