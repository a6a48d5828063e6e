/** The worker that runs the model, as the page sees it. */

import type { EventLine, FromWorker, ToWorker } from "../protocol";

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
  problem(message: string, detail?: string): void;
  /** What still went on when the camera stopped. */
  finished(lines: EventLine[]): void;
  /** The worker itself died. */
  gone(detail: string): void;
}

/** Starts the worker when the first bundle comes, and anew after it died. */
export class Engine {
  private worker: Worker | null = null;
  private readonly listener: Listener;

  constructor(listener: Listener) {
    this.listener = listener;
  }

  /** Load a bundle; a bad one is a problem, and the one before stays. */
  load(bytes: ArrayBuffer): void {
    this.worker ??= this.hire();
    this.post({ kind: "load", bytes, wasm: new URL("wasm/", document.baseURI).href }, [bytes]);
  }

  /** Send a frame; it belongs to the worker from now on. */
  frame(id: number, picture: ImageBitmap | VideoFrame, tsMs: number): void {
    if (this.worker) this.post({ kind: "frame", id, bitmap: picture, ts_ms: tsMs }, [picture]);
    else picture.close();
  }

  /** The next frame begins anew. */
  reset(): void {
    if (this.worker) this.post({ kind: "reset" }, []);
  }

  /** The camera has stopped. */
  finish(): void {
    if (this.worker) this.post({ kind: "finish" }, []);
  }

  private post(message: ToWorker, transfer: Transferable[]): void {
    this.worker?.postMessage(message, transfer);
  }

  private hire(): Worker {
    const worker = new Worker(new URL("../worker.ts", import.meta.url));
    worker.onmessage = (event: MessageEvent<FromWorker>) => this.hear(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      this.worker = null;
      this.listener.gone(event.message || "worker");
    };
    return worker;
  }

  private hear(message: FromWorker): void {
    switch (message.kind) {
      case "loaded":
        return this.listener.loaded(message);
      case "answer":
        this.listener.answer(message);
        return this.listener.done(message.id);
      case "caption":
        this.listener.caption(message);
        return this.listener.done(message.id);
      case "skipped":
        return this.listener.done(message.id);
      case "problem":
        this.listener.problem(message.message, message.detail);
        return message.id === undefined ? undefined : this.listener.done(message.id);
      case "finished":
        return this.listener.finished(message.events);
    }
  }
}
