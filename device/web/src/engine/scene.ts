/** Scene cuts: when one picture has nothing to do with the one before, memory must not carry over. */
import { Fields } from "./fields";
import { gray, type Picture } from "./picture";
import { resizeArea } from "./resize";

const SIDE = 16; // of a thumbnail: small enough that motion hardly counts and a new scene does

/** A larger difference between two successive model frames is a cut. */
export function sceneCutFrom(data: unknown, where: string): number {
  const fields = new Fields(data, where);
  const threshold = fields.positive("threshold", 1);
  fields.done();
  return threshold;
}

/** Compares each model frame of a source with the one before it. */
export class SceneDetector {
  private last: Uint8Array | null = null;

  constructor(private readonly threshold: number) {}

  /** The next frame has none before it. */
  reset(): void {
    this.last = null;
  }

  /** Does a new scene begin with this model frame (R, G, B or grey)? Never with the first. */
  cut(pixels: Picture): boolean {
    const last = this.last;
    this.last = thumbnail(pixels);
    return last !== null && distance(last, this.last) > this.threshold;
  }
}

/** A model frame as a grey one of 16 x 16. */
export function thumbnail(pixels: Picture): Uint8Array {
  return gray(resizeArea(pixels, SIDE, SIDE)).data;
}

/** The median of the absolute differences, 0..1. */
function distance(a: Uint8Array, b: Uint8Array): number {
  const apart = a.map((value, at) => Math.abs(value - b[at])).sort();
  return apart[apart.length >> 1] / 255;
}
