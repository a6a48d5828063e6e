/** Raw outputs and times of each bundle of the vectors, in a worker like the app's. */
import { loadRuntime } from "../src/engine/loader";
import { compared, outputsOf } from "./parity";
import { type Parity, type ToProbe } from "./probe_messages";

self.onmessage = ({ data }: MessageEvent<ToProbe>): void => {
  void probe(data).then(
    (found) => self.postMessage(found),
    (problem: unknown) => self.postMessage({ problem: String(problem) }),
  );
};

async function probe({ wasm, bundle, frames, entry, wanted }: ToProbe): Promise<Parity> {
  const runtime = await loadRuntime(wasm);
  const { raw, latencies } = await outputsOf(bundle, runtime, frames, entry.times, entry.tokens);
  const gap = compared(raw, wanted, entry.classes, entry.lead, entry.lead ? entry.tokens : 1);
  const sorted = latencies.slice(latencies.length >> 2).sort((a, b) => a - b);
  return { ...gap, median_ms: sorted[sorted.length >> 1], p95_ms: sorted[Math.floor(sorted.length * 0.95)] };
}
