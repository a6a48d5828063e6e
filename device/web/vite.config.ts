import { cpSync, existsSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
// One build of the runtime: it has SIMD, but not the "relaxed" instructions, whose results differ from phone to phone.
const RUNTIME = ["litert_wasm_compat_internal.js", "litert_wasm_compat_internal.wasm"];

/** The runtime's files beside the site, served and copied as they are: nothing is fetched from elsewhere. */
function runtime(): Plugin {
  let out = "";
  return {
    name: "rnnedge-runtime",
    apply: "build",
    configResolved: (config) => void (out = config.build.outDir),
    closeBundle() {
      const to = here(out + "/wasm");
      mkdirSync(to, { recursive: true });
      for (const file of RUNTIME) cpSync(here(`node_modules/@litertjs/core/wasm/${file}`), `${to}/${file}`);
    },
  };
}

// Pages: the app's own, and one for the tests where there is RNNEDGE_WEB_PROBE.
const pages = process.env.RNNEDGE_WEB_PROBE ? ["tests/probe.html"] : ["index.html"];

export default defineConfig({
  root: here("."),
  // Relative: the site also lies in folders, and inside an APK.
  base: "./",
  plugins: [runtime()],
  // A classic worker: the runtime's loader needs importScripts.
  worker: { format: "iife" },
  // No test is about time, however busy the machine.
  test: { include: ["tests/**/*.test.ts"], testTimeout: 300_000 },
  build: {
    outDir: process.env.RNNEDGE_WEB_OUT ?? "../../rnnedge/deploy/phone/site",
    emptyOutDir: true,
    target: "es2022",
    rolldownOptions: { input: pages.map(here).filter((page) => existsSync(page)) },
  },
});
