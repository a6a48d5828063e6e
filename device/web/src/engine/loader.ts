/** Fetches the runtime into a worker: its own two files, from beside the app and from nowhere else. */
import { version } from "@litertjs/core/package.json";
import { said } from "../problems";
import { InputError } from "./errors";
import { type Binding, Runtime, textOf } from "./runtime";

/**
 * The build without the "relaxed" instructions, whose results may differ from processor to processor: int8 is the same
 * on all phones, and at the sizes of these models there is no time to gain (docs/android.md).
 */
export const FILE = "litert_wasm_compat_internal";
const KEPT = 20;

type Factory = (options: object) => Promise<Binding>;
/** What the runtime has said last, for whoever wants to know why something failed. */
export const log: string[] = [];

/**
 * The runtime, ready.
 *
 * @param base address of the folder with its files, with the slash at its end
 * @throws InputError it cannot be fetched, or the browser is too old for it
 */
export async function loadRuntime(base: string): Promise<Runtime> {
  const scope = globalThis as { importScripts?: (url: string) => void; ModuleFactory?: Factory };
  try {
    scope.importScripts?.(new URL(`${FILE}.js`, base).href);
    if (!scope.ModuleFactory) throw new Error("its script did not start");
    const say = (line: string): void => void (log.push(line) > KEPT && log.shift());
    const locateFile = (name: string): string => new URL(name, base).href;
    return new Runtime(await scope.ModuleFactory({ locateFile, print: say, printErr: say }), `LiteRT.js ${version}`);
  } catch (problem) {
    const gaps = { detail: textOf(problem) };
    throw new InputError(said("the runtime cannot start: {detail}. It needs a browser with WebAssembly SIMD", gaps));
  }
}
