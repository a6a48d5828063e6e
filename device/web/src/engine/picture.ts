/** Pictures as they are in memory, and their colours. */
import { rint } from "./numbers";

/** `data` is `[rows, columns, channels]`; 3 channels are R, G, B. */
export interface Picture {
  readonly data: Uint8Array;
  readonly rows: number;
  readonly columns: number;
  readonly channels: number;
}

/** The grey of a picture of R, G, B(, A), by OpenCV's whole-number weights; a grey one as it is. */
export function gray(picture: Picture | Rgba): Picture {
  const { rows, columns, channels, data } = picture;
  if (channels === 1) return picture as Picture;
  const found = new Uint8Array(rows * columns);
  for (let to = 0, from = 0; to < found.length; to++, from += channels) {
    found[to] = (data[from] * 9798 + data[from + 1] * 19235 + data[from + 2] * 3735 + 16384) >> 15;
  }
  return { data: found, rows, columns, channels: 1 };
}

/** R, G, B of a picture of R, G, B, A or grey. */
export function rgb(picture: Picture | Rgba): Picture {
  const { rows, columns, channels, data } = picture;
  if (channels === 3) return picture as Picture;
  const found = new Uint8Array(rows * columns * 3);
  const [green, blue] = channels === 1 ? [0, 0] : [1, 2];
  for (let to = 0, from = 0; to < found.length; to += 3, from += channels) {
    found[to] = data[from];
    found[to + 1] = data[from + green];
    found[to + 2] = data[from + blue];
  }
  return { data: found, rows, columns, channels: 3 };
}

/** A frame as a canvas has it, `[rows, columns, 4]`. */
export interface Rgba {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly rows: number;
  readonly columns: number;
  readonly channels: 4;
}

/** A frame of a source: from a canvas, or as the Python part has it but in R, G, B order. */
export type Frame = Picture | Rgba;

/** Part of a picture. */
export function window(picture: Picture, top: number, left: number, rows: number, columns: number): Picture {
  if (rows === picture.rows && columns === picture.columns) return picture;
  const { channels } = picture, found = new Uint8Array(rows * columns * channels);
  for (let row = 0; row < rows; row++) {
    const from = ((top + row) * picture.columns + left) * channels;
    found.set(picture.data.subarray(from, from + columns * channels), row * columns * channels);
  }
  return { data: found, rows, columns, channels };
}

/** A picture in the middle of a black one. */
export function padded(picture: Picture, rows: number, columns: number): Picture {
  if (rows === picture.rows && columns === picture.columns) return picture;
  const { channels } = picture, found = new Uint8Array(rows * columns * channels);
  const top = (rows - picture.rows) >> 1, left = (columns - picture.columns) >> 1, row = picture.columns * channels;
  for (let at = 0; at < picture.rows; at++) {
    found.set(picture.data.subarray(at * row, (at + 1) * row), ((top + at) * columns + left) * channels);
  }
  return { data: found, rows, columns, channels };
}

/** The grey values spread over 0..255. */
export function equalized(picture: Picture): Picture {
  const counts = new Int32Array(256), table = new Uint8Array(256), { data } = picture;
  for (const value of data) counts[value]++;
  const first = counts.findIndex((count) => count > 0);
  if (counts[first] === data.length) return picture;
  const scale = Math.fround(255 / (data.length - counts[first]));
  for (let value = first + 1, sum = 0; value < 256; value++) {
    sum += counts[value];
    table[value] = Math.min(255, rint(Math.fround(sum * scale)));
  }
  return { ...picture, data: data.map((value) => table[value]) };
}

export function inverted(picture: Picture): Picture {
  return { ...picture, data: picture.data.map((value) => 255 - value) };
}
