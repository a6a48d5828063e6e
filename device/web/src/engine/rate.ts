/** A fixed model rate: frames are picked by timestamp, so that every camera gives the model the same film. */

const KEPT = 15; // intervals; enough for a median that jitter hardly moves
const EARLY = 0.45; // of the source's interval: so long before its instant a frame is taken

/**
 * Which frames of a source the model takes, so that it takes `rate` a second: the instants of a grid that begins with
 * the first frame each get the frame nearest to them; a frame of a slower source is held for several steps.
 */
export class FramePicker {
  private readonly periodMs: number;
  private lastMs: number | null = null; // of any frame, taken or not
  private anchorMs = 0;
  private stepMs = 0;
  private taken = 0;
  private intervals: number[] = [];

  constructor(rate: number, private readonly maxGapMs: number) {
    this.periodMs = 1000 / rate;
  }

  /** The next frame is taken, and the grid is anchored at it. */
  reset(): void {
    this.lastMs = null;
    this.anchorMs = this.stepMs = this.taken = 0;
    this.intervals = [];
  }

  /** Is the pause before a frame at `tsMs` too long? True also where time has gone back. */
  gap(tsMs: number): boolean {
    return this.lastMs !== null && !(tsMs - this.lastMs >= 0 && tsMs - this.lastMs <= this.maxGapMs);
  }

  /** The times of the steps that the model makes with the frame at `tsMs`; none passes it over, more hold it. */
  steps(tsMs: number): number[] {
    if (this.lastMs === null) {
      this.anchorMs = this.stepMs = tsMs;
    } else if (tsMs > this.lastMs) {
      this.intervals.push(tsMs - this.lastMs);
      if (this.intervals.length > KEPT) this.intervals.shift();
    }
    this.lastMs = tsMs;
    const sorted = [...this.intervals].sort((a, b) => a - b);
    const early = sorted.length ? EARLY * sorted[sorted.length >> 1] : 0;
    // The small share: an instant that equals the grid's but for rounding is on it.
    const due = Math.floor((tsMs + early - this.anchorMs) / this.periodMs + 1e-6) + 1;
    const count = due - this.taken;
    if (count <= 0) return [];
    const before = this.stepMs;
    this.stepMs = tsMs;
    this.taken = due;
    return Array.from({ length: count }, (_, at) => tsMs - (tsMs - before) * ((count - 1 - at) / count));
  }
}
