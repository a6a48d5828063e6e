/** The very runtime of the app, started in Node: its script is one for browsers, classic workers and Node. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { version } from "@litertjs/core/package.json";
import { FILE } from "../src/engine/loader";
import { type Binding, Runtime } from "../src/engine/runtime";

export async function nodeRuntime(): Promise<Runtime> {
  const require = createRequire(import.meta.url), script = require.resolve(`@litertjs/core/wasm/${FILE}.js`);
  const source = `${readFileSync(script, "utf8")}; return ModuleFactory;`;
  const factory = new Function("require", "__filename", "__dirname", source)(require, script, dirname(script));
  const locateFile = (name: string): string => `${dirname(script)}/${name}`;
  const binding: Binding = await factory({ locateFile, print: () => {}, printErr: () => {} });
  return new Runtime(binding, `LiteRT.js ${version}`);
}
