/** The worker that runs the model, as the page sees it. */

import type { EventLine, FromWorker, ToWorker } from "../protocol";
import { type Words, words } from "./language";

export type Loaded = Extract<FromWorker, { kind: "loaded" }>;
export type Answer = Extract<FromWorker, { kind: "answer" }>;
export type Caption = Extract<FromWorker, { kind: "caption" }>;

/** What the engine calls. */
export interface Listener {
  loaded(bundle: Loaded): void;
  answer(found: Answer): void;
  caption(found: Caption): void;
  /** The engine has done with a frame, whatever came of it. */
  done(id: number): void;
  problem(message: Words, detail?: string): void;
  /** What still went on when the camera stopped. */
  finished(lines: EventLine[]): void;
  /** The worker itself died. */
  gone(detail: string): void;
}

const PATIENCE_MS = 30_000;

/**
 * A bundle is loaded by a worker of its own, which takes the place of the one before when it has: a model that crashes
 * the runtime or never lets go of it takes nothing with it that works.
 */
export class Engine {
  private worker: Worker | null = null; // the one that answers
  private trial: Worker | null = null; // the one that loads
  private deadline: ReturnType<typeof setTimeout> | undefined;
  private busy: number | null = null; // the frame that the worker has
  private readonly listener: Listener;

  constructor(listener: Listener) {
    this.listener = listener;
  }

  /** Load a bundle; a bad one is a problem, and the one before stays. */
  load(bytes: ArrayBuffer): void {
    this.drop();
    this.trial = this.hire();
    this.deadline = setTimeout(() => {
      this.drop();
      this.listener.problem(words("loadsForever", { seconds: PATIENCE_MS / 1000 }));
    }, PATIENCE_MS);
    const message: ToWorker = { kind: "load", bytes, wasm: new URL("wasm/", document.baseURI).href };
    this.trial.postMessage(message, [bytes]);
  }

  /** Send a frame; it belongs to the worker from now on. */
  frame(id: number, picture: ImageBitmap | VideoFrame, tsMs: number): void {
    if (!this.worker) return picture.close();
    this.busy = id;
    this.post({ kind: "frame", id, bitmap: picture, ts_ms: tsMs }, [picture]);
  }

  /** The next frame begins anew. */
  reset(): void {
    this.post({ kind: "reset" });
  }

  /** The camera has stopped. */
  finish(): void {
    this.post({ kind: "finish" });
  }

  private post(message: ToWorker, transfer: Transferable[] = []): void {
    this.worker?.postMessage(message, transfer);
  }

  private hire(): Worker {
    const worker = new Worker(new URL("../worker.ts", import.meta.url));
    worker.onmessage = (event: MessageEvent<FromWorker>) => {
      if (worker === this.trial) this.judge(worker, event.data);
      else if (worker === this.worker) this.hear(event.data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      const why = event.message || "worker";
      worker.terminate();
      if (worker === this.trial) {
        this.drop();
        this.listener.problem(words("engineGone", { detail: why }));
      } else if (worker === this.worker) {
        this.worker = null;
        this.listener.gone(why);
      }
    };
    return worker;
  }

  /** The trial is over, whatever it has come to. */
  private drop(): void {
    clearTimeout(this.deadline);
    this.trial?.terminate();
    this.trial = null;
  }

  /** What the trial's first word makes of it. */
  private judge(worker: Worker, message: FromWorker): void {
    if (message.kind === "loaded") {
      this.trial = null;
      this.worker?.terminate();
      this.worker = worker;
    }
    this.drop();
    if (message.kind === "problem") this.listener.problem(words("notLoaded", { why: message.said }), message.detail);
    else this.hear(message);
    // The frame that the worker before had is nobody's now.
    if (message.kind === "loaded" && this.busy !== null) this.done(this.busy);
  }

  // Once a frame, however many messages there are about it.
  private done(id: number): void {
    if (id !== this.busy) return;
    this.busy = null;
    this.listener.done(id);
  }

  private hear(message: FromWorker): void {
    switch (message.kind) {
      case "loaded":
        return this.listener.loaded(message);
      case "answer":
        this.listener.answer(message);
        return this.done(message.id);
      case "caption":
        this.listener.caption(message);
        return this.done(message.id);
      case "skipped":
        return this.done(message.id);
      case "problem":
        this.listener.problem(words("frameProblem", { why: message.said }), message.detail);
        return message.id === undefined ? undefined : this.done(message.id);
      case "finished":
        return this.listener.finished(message.events);
    }
  }
}
