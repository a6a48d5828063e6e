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
  private bright = new Int32Array(0); // places
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
    const there = new Uint8Array(change.length), moved = new Uint8Array(change.length);
    for (let at = 0; at < change.length; at++) {
      there[at] = Math.abs(change[at]) > this.threshold ? 1 : 0;
      moved[at] = Math.abs(change[at] - before[at]) > this.motion ? 1 : 0;
    }
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
      const { room, drift } = this;
      for (let at = 0; at < grey.length; at++) {
        const apart = grey[at] * DRIFT_UNIT - room[at];
        room[at] += apart > drift ? drift : apart < -drift ? -drift : apart;
      }
    } else {
      return;
    }
    this.measure(this.room);
  }

  /** What is asked of a room that has changed: its logarithms, and which pixels are bright. */
  private measure(room: Int32Array): void {
    const grey = new Uint8Array(room.length), counts = new Int32Array(256);
    this.roomLog = new Int32Array(room.length);
    for (let at = 0; at < room.length; at++) {
      grey[at] = (room[at] + DRIFT_UNIT / 2) / DRIFT_UNIT;
      counts[grey[at]]++;
      this.roomLog[at] = this.log[grey[at]];
    }
    const level = ranked(counts, Math.trunc(BRIGHT * (room.length - 1)));
    this.bright = new Int32Array(room.length);
    let bright = 0;
    for (let at = 0; at < grey.length; at++) if (grey[at] >= level) this.bright[bright++] = at;
    this.bright = this.bright.subarray(0, bright);
  }

  private change(grey: Uint8Array): Int32Array {
    const { log, roomLog, bright } = this, change = new Int32Array(grey.length);
    for (let at = 0; at < grey.length; at++) change[at] = log[grey[at]] - roomLog[at];
    // What the room's brighter pixels have in common is the lamp's or the exposure's.
    const least = log[0] - log[255], counts = new Int32Array(2 * -least + 1);
    for (let at = 0; at < bright.length; at++) counts[change[bright[at]] - least]++;
    const middle = ranked(counts, bright.length >> 1) + least;
    for (let at = 0; at < change.length; at++) change[at] -= middle;
    return change;
  }

  /** The share of each block that is set, 0..255, into every second place. */
  private shrink(mask: Uint8Array, columns: number, found: Uint8Array, channel: number): void {
    const side = this.detail, w = columns / side, area = side * side;
    for (let at = 0; 2 * at < found.length; at++) {
      const corner = Math.floor(at / w) * side * columns + (at % w) * side;
      let count = 0;
      for (let row = corner; row < corner + side * columns; row += columns) {
        for (let place = row; place < row + side; place++) count += mask[place];
      }
      found[2 * at + channel] = (count * 255 + (area >> 1)) / area;
    }
  }
}

/** The value of a rank, from 0, among whole numbers of which `counts` says how often each is there. */
function ranked(counts: Int32Array, rank: number): number {
  let value = 0;
  for (let below = counts[0]; below <= rank; below += counts[value]) value++;
  return value;
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
function opened(mask: Uint8Array, rows: number, columns: number): Uint8Array {
  return squares(squares(mask, rows, columns, true), rows, columns, false);
}

/** Of 0 and 1: is all (`every`) or any of the square around a pixel set? */
function squares(mask: Uint8Array, rows: number, columns: number, every: boolean): Uint8Array {
  const across = new Uint8Array(mask.length), found = new Uint8Array(mask.length), last = columns - 1;
  for (let at = 0, column = 0; at < mask.length; at++, column = column === last ? 0 : column + 1) {
    const left = mask[column > 0 ? at - 1 : at], right = mask[column < last ? at + 1 : at];
    across[at] = every ? left & mask[at] & right : left | mask[at] | right;
  }
  const below = (rows - 1) * columns;
  for (let at = 0; at < mask.length; at++) {
    const up = across[at >= columns ? at - columns : at], down = across[at < below ? at + columns : at];
    found[at] = every ? up & across[at] & down : up | across[at] | down;
  }
  return found;
}
