/** The log that the person records: the lines of `rnnedge-run --jsonl`, in memory until they are saved. */

import type { EventLine } from "../protocol";

const LIMIT = 200_000; // lines: about two hours at 30 a second
const PART = 1000;

interface App {
  save(name: string, text: string): void;
}

/** Keeps lines while it is on. */
export class Log {
  on = false;
  count = 0;
  private parts: Blob[] = []; // out of the script's own memory
  private lines: string[] = [];

  get full(): boolean {
    return this.count >= LIMIT;
  }

  start(): void {
    this.on = true;
    this.count = 0;
    this.parts = [];
    this.lines = [];
  }

  add(lines: EventLine[]): void {
    for (const line of lines) {
      if (!this.on || this.full) return;
      this.count++;
      this.lines.push(JSON.stringify(line) + "\n");
      if (this.lines.length >= PART) this.flush();
    }
  }

  /** Hand the log to the person as a file; returns its name. */
  async save(bundle: string): Promise<string> {
    this.on = false;
    this.flush();
    const stamp = new Date().toISOString().replace(/[-:]/g, "").replace("T", "-").slice(0, 15);
    const name = `${bundle.replace(/[^\w.-]+/g, "_")}-${stamp}.jsonl`;
    const blob = new Blob(this.parts, { type: "application/x-ndjson" });
    this.parts = [];
    const app = (window as { rnnedgeApp?: App }).rnnedgeApp;
    if (app) app.save(name, await blob.text());
    else download(name, blob);
    return name;
  }

  private flush(): void {
    if (this.lines.length) this.parts.push(new Blob(this.lines));
    this.lines = [];
  }
}

function download(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
