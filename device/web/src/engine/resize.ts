/**
 * Resizing as OpenCV does it for bytes: INTER_AREA (a mean of the pixels that a new one covers) and INTER_LINEAR, in
 * the same arithmetic, so that a model sees the same numbers on a phone as on the machine it was trained on.
 */
import { rint } from "./numbers";
import type { Picture } from "./picture";

const BITS = 11; // of a linear weight
const ONE = 1 << BITS;

/** The means of what is covered; where a side grows, linear weights that do not smooth beyond a pixel's area. */
export function resizeArea(picture: Picture, rows: number, columns: number): Picture {
  if (rows === picture.rows && columns === picture.columns) return picture;
  if (rows > picture.rows || columns > picture.columns) return linear(picture, rows, columns, true);
  return picture.rows % rows || picture.columns % columns
    ? coveredMeans(picture, rows, columns)
    : blockMeans(picture, rows, columns);
}

export function resizeLinear(picture: Picture, rows: number, columns: number): Picture {
  if (rows === picture.rows && columns === picture.columns) return picture;
  // OpenCV takes the mean of four where a picture is exactly halved.
  if (picture.rows === 2 * rows && picture.columns === 2 * columns) return blockMeans(picture, rows, columns);
  return linear(picture, rows, columns, false);
}

/** Whole blocks of pixels. */
function blockMeans({ data, columns: width, rows: height, channels }: Picture, rows: number, columns: number): Picture {
  const found = new Uint8Array(rows * columns * channels);
  const down = height / rows, across = width / columns, share = Math.fround(1 / (down * across));
  // OpenCV has a shift for blocks of four; other blocks are rounded half to even.
  const four = down === 2 && across === 2;
  for (let y = 0, to = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      for (let channel = 0; channel < channels; channel++, to++) {
        let sum = 0;
        for (let row = y * down; row < (y + 1) * down; row++) {
          let from = (row * width + x * across) * channels + channel;
          for (let column = 0; column < across; column++, from += channels) sum += data[from];
        }
        found[to] = four ? (sum + 2) >> 2 : rint(Math.fround(sum * share));
      }
    }
  }
  return { data: found, rows, columns, channels };
}

/** Which pixels a new one covers, and how much of it each makes up: starts, counts, weights one after another. */
function covers(before: number, after: number): { first: Int32Array; begin: Int32Array; weights: Float32Array } {
  const scale = before / after, first = new Int32Array(after), begin = new Int32Array(after + 1), weights: number[] = [];
  for (let to = 0; to < after; to++) {
    const low = to * scale, high = low + scale, width = Math.min(scale, before - low);
    const last = Math.min(Math.floor(high), before - 1), whole = Math.min(Math.ceil(low), last);
    const partly = whole - low > 1e-3;
    first[to] = partly ? whole - 1 : whole;
    if (partly) weights.push((whole - low) / width);
    for (let at = whole; at < last; at++) weights.push(1 / width);
    if (high - last > 1e-3) weights.push(Math.min(Math.min(high - last, 1), width) / width);
    begin[to + 1] = weights.length;
  }
  return { first, begin, weights: Float32Array.from(weights) };
}

function coveredMeans({ data, columns: width, rows: height, channels }: Picture, rows: number, columns: number): Picture {
  const found = new Uint8Array(rows * columns * channels), across = covers(width, columns), down = covers(height, rows);
  const line = new Float32Array(columns * channels), sums = new Float32Array(columns * channels);
  for (let y = 0; y < rows; y++) {
    sums.fill(0);
    for (let tap = down.begin[y], row = down.first[y]; tap < down.begin[y + 1]; tap++, row++) {
      narrowed(data, row * width, channels, across, line);
      const weight = down.weights[tap];
      // One rounding to float32 for the product and one for the sum, as OpenCV's loop has them.
      for (let at = 0; at < line.length; at++) sums[at] += Math.fround(line[at] * weight);
    }
    const start = y * columns * channels;
    for (let at = 0; at < sums.length; at++) found[start + at] = Math.min(255, rint(sums[at]));
  }
  return { data: found, rows, columns, channels };
}

function narrowed(
  data: Uint8Array, start: number, channels: number, { first, begin, weights }: ReturnType<typeof covers>, line: Float32Array,
): void {
  // Written out for colours: of all the engine does with a frame this takes the most time.
  const three = channels === 3;
  for (let x = 0, to = 0; x < first.length; x++, to += channels) {
    let from = (start + first[x]) * channels, red = 0, green = 0, blue = 0;
    for (let tap = begin[x]; tap < begin[x + 1]; tap++, from += channels) {
      const weight = weights[tap];
      red = Math.fround(red + Math.fround(data[from] * weight));
      if (three) {
        green = Math.fround(green + Math.fround(data[from + 1] * weight));
        blue = Math.fround(blue + Math.fround(data[from + 2] * weight));
      }
    }
    line[to] = red;
    if (three) {
      line[to + 1] = green;
      line[to + 2] = blue;
    }
  }
}

/** For each new pixel the one before it, and the weight of the one behind that, of `ONE`. */
function between(before: number, after: number, area: boolean, clamped: boolean): [Int32Array, Int32Array] {
  const at = new Int32Array(after), weight = new Int32Array(after), scale = before / after, inverse = after / before;
  for (let to = 0; to < after; to++) {
    let place: number, share: number;
    if (area) {
      place = Math.floor(to * scale);
      share = Math.fround(to + 1 - (place + 1) * inverse);
      share = share <= 0 ? 0 : Math.fround(share - Math.floor(share));
    } else {
      share = Math.fround((to + 0.5) * scale - 0.5);
      place = Math.floor(share);
      share = Math.fround(share - place);
    }
    if (clamped && place < 0) [place, share] = [0, 0];
    if (clamped && place >= before - 1) [place, share] = [before - 1, 0];
    at[to] = place;
    weight[to] = rint(Math.fround(share * ONE));
  }
  return [at, weight];
}

function linear({ data, columns: width, rows: height, channels }: Picture, rows: number, columns: number, area: boolean): Picture {
  const found = new Uint8Array(rows * columns * channels);
  const [lefts, rights] = between(width, columns, area, true), [tops, belows] = between(height, rows, area, false);
  const lines = new Map<number, Int32Array>();
  const lineOf = (row: number): Int32Array => {
    const clamped = Math.max(0, Math.min(height - 1, row));
    let line = lines.get(clamped);
    if (line) return line;
    line = new Int32Array(columns * channels);
    for (let x = 0, to = 0; x < columns; x++) {
      const from = (clamped * width + lefts[x]) * channels, next = lefts[x] + 1 < width ? channels : 0, right = rights[x];
      for (let channel = 0; channel < channels; channel++, to++) {
        line[to] = data[from + channel] * (ONE - right) + data[from + next + channel] * right;
      }
    }
    lines.set(clamped, line);
    return line;
  };
  for (let y = 0, to = 0; y < rows; y++) {
    const upper = lineOf(tops[y]), lower = lineOf(tops[y] + 1), below = belows[y], above = ONE - below;
    for (let at = 0; at < upper.length; at++, to++) {
      found[to] = (((above * (upper[at] >> 4)) >> 16) + ((below * (lower[at] >> 4)) >> 16) + 2) >> 2;
    }
    for (const row of lines.keys()) if (row < tops[y] - 1) lines.delete(row);
  }
  return { data: found, rows, columns, channels };
}
