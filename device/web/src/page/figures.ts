/** How fast it runs: frames a second, times and drops, of the last seconds. */

import { $, make } from "./elements";
import { type Words, words } from "./language";

const WINDOW_MS = 3000, LEAST_S = 0.5, TIMES = 150;

/** Counts and times, and shows them. */
export class Figures {
  private done: number[] = []; // when
  private since = 0; // the first of all
  private inference: number[] = [];
  private delay: number[] = [];

  clear(): void {
    this.done = [];
    this.since = performance.now();
    this.inference = [];
    this.delay = [];
  }

  /** The engine has done with a frame. */
  frame(now: number): void {
    this.done.push(now);
  }

  /** An answer, with the milliseconds of the model and those since the camera saw it. */
  answer(inference: number, delay: number): void {
    keep(this.inference, inference);
    keep(this.delay, delay);
  }

  show(now: number, sent: number, dropped: number): void {
    while (this.done.length && this.done[0]! < now - WINDOW_MS) this.done.shift();
    const seconds = Math.min(WINDOW_MS, now - this.since) / 1000;
    figure("fps", sent && seconds >= LEAST_S ? (this.done.length / seconds).toFixed(1) : null);
    times("inference", this.inference);
    times("delay", this.delay);
    figure("dropped", sent ? dropped.toLocaleString() : null, words("of", { n: (sent + dropped).toLocaleString() }));
  }
}

function keep(times: number[], value: number): void {
  times.push(value);
  if (times.length > TIMES) times.shift();
}

function times(id: string, all: number[]): void {
  if (!all.length) return figure(id, null);
  const sorted = [...all].sort((a, b) => a - b);
  figure(id, ms(sorted[sorted.length >> 1]!), words("p95", { ms: ms(sorted[Math.floor(0.95 * (sorted.length - 1))]!) }));
}

function figure(id: string, value: string | null, unit: Words | string = ""): void {
  $(id).replaceChildren(value ?? "–", make("small", value === null ? "" : unit));
}

function ms(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}
