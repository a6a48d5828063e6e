/**
 * What has come into the room: a fixed camera's frames against the empty room, and against the frame before.
 *
 * All of it is whole-number arithmetic, so that every machine finds the same pixels (docs/clips.md).
 */
import { Fields } from "./fields";
import { rint } from "./numbers";
import type { Picture } from "./picture";

const UNIT = 1024; // of a natural logarithm
const DRIFT_UNIT = 4096; // of a grey level
const BRIGHT = 0.6; // this share of the room is darker than what the light is measured on

export interface Foreground {
  readonly learn: number;
  readonly detail: number;
  readonly threshold: number;
  readonly motion: number;
  readonly floor: number;
  readonly drift: number;
}

export function foregroundFrom(data: unknown, where: string): Foreground {
  const fields = new Fields(data, where);
  const found = {
    learn: fields.integer("learn", 1, 1000),
    detail: fields.integer("detail", 1, 16),
    threshold: fields.positive("threshold", 5),
    motion: fields.positive("motion", 5),
    floor: fields.positive("floor", 255),
    drift: fields.number("drift", 0, 255),
  };
  fields.done();
  return found;
}

/** One camera's room, learned and kept. Every frame it looks at is a model frame. */
export class Room {
  readonly detail: number;
  private readonly log: Int32Array;
  private readonly threshold: number;
  private readonly motion: number;
  private readonly drift: number;
  private learning: Uint8Array[] = [];
  private room: Int32Array | null = null; // in DRIFT_UNIT of a grey level
  private roomLog = new Int32Array(0);
  private bright: number[] = []; // places
  private before: Int32Array | null = null;

  constructor(private readonly spec: Foreground) {
    this.detail = spec.detail;
    this.log = Int32Array.from({ length: 256 }, (_, grey) => rint(Math.log(grey + spec.floor) * UNIT));
    this.threshold = rint(spec.threshold * UNIT);
    this.motion = rint(spec.motion * UNIT);
    this.drift = rint(spec.drift * DRIFT_UNIT);
  }

  /** Another room, or nobody knows: it is learned anew from the next frame on. */
  reset(): void {
    this.learning = [];
    this.room = null;
    this.pause();
  }

  /** Frames are missing: the room is still the same, but what moved in between is not known. */
  pause(): void {
    this.before = null;
  }

  /** Foreground and motion, 2 channels, of a grey frame of `detail` times the height and width. */
  look({ data, rows, columns }: Picture): Picture {
    this.learn(data);
    const change = this.change(data), before = this.before ?? change;
    this.before = change;
    const there = change.map((value) => (Math.abs(value) > this.threshold ? 1 : 0));
    const moved = change.map((value, at) => (Math.abs(value - before[at]) > this.motion ? 1 : 0));
    const h = rows / this.detail, w = columns / this.detail, found = new Uint8Array(h * w * 2);
    this.shrink(opened(there, rows, columns), columns, found, 0);
    this.shrink(moved, columns, found, 1);
    return { data: found, rows: h, columns: w, channels: 2 };
  }

  private learn(grey: Uint8Array): void {
    if (this.room === null || this.learning.length) {
      this.learning.push(grey.slice());
      this.room = median(this.learning).map((value) => value * DRIFT_UNIT);
      if (this.learning.length === this.spec.learn) this.learning = [];
    } else if (this.drift) {
      for (let at = 0; at < grey.length; at++) {
        const apart = grey[at] * DRIFT_UNIT - this.room[at];
        this.room[at] += Math.max(-this.drift, Math.min(this.drift, apart));
      }
    } else {
      return;
    }
    const room = Uint8Array.from(this.room, (value) => Math.floor((value + DRIFT_UNIT / 2) / DRIFT_UNIT));
    const level = room.slice().sort()[Math.trunc(BRIGHT * (room.length - 1))];
    this.bright = [];
    room.forEach((value, at) => value >= level && this.bright.push(at));
    this.roomLog = Int32Array.from(room, (value) => this.log[value]);
  }

  private change(grey: Uint8Array): Int32Array {
    const change = Int32Array.from(grey, (value, at) => this.log[value] - this.roomLog[at]);
    // What the room's brighter pixels have in common is the lamp's or the exposure's.
    const light = Int32Array.from(this.bright, (at) => change[at]).sort();
    const middle = light[light.length >> 1];
    return change.map((value) => value - middle);
  }

  /** The share of each block that is set, 0..255, into every second place. */
  private shrink(mask: Int32Array, columns: number, found: Uint8Array, channel: number): void {
    const side = this.detail, w = columns / side, area = side * side;
    const counts = new Int32Array(found.length / 2);
    for (let row = 0, at = 0; at < mask.length; row++) {
      for (let column = 0; column < columns; column++, at++) {
        counts[Math.floor(row / side) * w + Math.floor(column / side)] += mask[at];
      }
    }
    counts.forEach((count, at) => (found[2 * at + channel] = Math.floor((count * 255 + (area >> 1)) / area)));
  }
}

/** Of each pixel the lower of the two middle values: whole, and the same everywhere. */
function median(frames: Uint8Array[]): Int32Array {
  const middle = (frames.length - 1) >> 1, values = new Uint8Array(frames.length);
  return Int32Array.from(frames[0], (_, at) => {
    for (let frame = 0; frame < frames.length; frame++) values[frame] = frames[frame][at];
    return values.sort()[middle];
  });
}

/** Opened by a square of 3: what is too small for the square vanishes. Beyond the edge is nothing that counts. */
function opened(mask: Int32Array, rows: number, columns: number): Int32Array {
  return squares(squares(mask, rows, columns, Math.min), rows, columns, Math.max);
}

function squares(mask: Int32Array, rows: number, columns: number, pick: (a: number, b: number) => number): Int32Array {
  const across = mask.slice();
  for (let at = 0; at < mask.length; at++) {
    const column = at % columns;
    if (column > 0) across[at] = pick(across[at], mask[at - 1]);
    if (column < columns - 1) across[at] = pick(across[at], mask[at + 1]);
  }
  const found = across.slice();
  for (let at = 0; at < mask.length; at++) {
    if (at >= columns) found[at] = pick(found[at], across[at - columns]);
    if (at < (rows - 1) * columns) found[at] = pick(found[at], across[at + columns]);
  }
  return found;
}
