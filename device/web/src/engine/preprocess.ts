/** From a frame to the model's input: colour, fit, size, tone, then `(pixel * scale - mean) / std` by a table. */
import { refused } from "./errors";
import { Fields, isCount, isNumber, shown } from "./fields";
import { type Foreground, foregroundFrom, Room } from "./foreground";
import { rint } from "./numbers";
import { equalized, type Frame, gray, inverted, padded, type Picture, rgb, window } from "./picture";
import { resizeArea, resizeLinear } from "./resize";
import type { Values } from "./tensors";

const COLORS = ["gray", "rgb"] as const;
const FITS = ["stretch", "pad", "crop"] as const;
const MAX_PIXELS = 2 ** 24; // of a model frame: a bundle must not be able to fill a phone's memory

export class Preprocess {
  /** Height, width and channels of a model frame. */
  readonly shape: [number, number, number];
  /** `[256, channels]`: the model's input for each pixel value. */
  readonly table: Float32Array;
  private readonly equalize: boolean;
  private readonly invert: boolean;
  private readonly color: (typeof COLORS)[number];
  private readonly fit: (typeof FITS)[number];
  readonly foreground: Foreground | null;

  constructor(data: unknown, where: string) {
    const fields = new Fields(data, where);
    const size = fields.list("size", isCount, "must be a list of whole numbers above zero");
    this.color = fields.text("color", "gray", COLORS);
    this.fit = fields.text("fit", "stretch", FITS);
    const scale = fields.number("scale", undefined, undefined, 1 / 255);
    const mean = fields.list("mean", isNumber, "must be a list of numbers", []);
    const std = fields.list("std", isNumber, "must be a list of numbers", []);
    this.invert = fields.flag("invert", false);
    this.equalize = fields.flag("equalize", false);
    this.foreground = fields.optional("foreground", foregroundFrom, null);
    fields.done();
    const detail = this.foreground?.detail ?? 1;
    if (size.length !== 2 || size[0] * size[1] * detail * detail > MAX_PIXELS) {
      throw fields.fail("size", "must be [height, width], of at most {most} pixels", { most: MAX_PIXELS });
    }
    if (scale === 0) throw fields.fail("scale", "must be a number other than zero");
    const channels = this.foreground ? 2 : this.color === "gray" ? 1 : 3;
    for (const [key, values] of [["mean", mean], ["std", std]] as const) {
      if (![0, 1, channels].includes(values.length)) {
        throw fields.fail(key, "must be empty, one number, or one for each of the {channels} channels", { channels });
      }
    }
    if (std.some((value) => value <= 0)) throw fields.fail("std", "must be above zero");
    if (this.equalize && this.color !== "gray") throw fields.fail("equalize", "is for gray");
    if (this.foreground && (this.color !== "gray" || this.invert)) {
      throw refused("{where}: foreground: color must be gray and invert false", { where });
    }
    this.shape = [size[0], size[1], channels];
    this.table = tableOf(channels, scale, mean, std);
  }

  /** A frame as the model sees it, all but scale, mean and std. */
  pixels(frame: Frame): Picture {
    return this.picture(frame, this.shape[0], this.shape[1]);
  }

  /** The same as `rows` by `columns`, before a foreground is made of it. */
  picture(frame: Frame, rows: number, columns: number): Picture {
    if (frame.rows < 1 || frame.columns < 1) throw refused("the frame is empty");
    const colored = this.color === "gray" || frame.channels === 1 ? gray(frame) : rgb(frame);
    const fitted =
      frame.rows === rows && frame.columns === columns ? this.toned(colored) : this.fitted(colored, rows, columns);
    return this.color === "rgb" ? rgb(fitted) : fitted;
  }

  private fitted(picture: Picture, h: number, w: number): Picture {
    const { rows, columns } = picture;
    let [innerH, innerW] = [h, w];
    if (this.fit === "crop") {
      // The largest centred window with the proportions of the result.
      const keepH = Math.min(rows, Math.max(1, rint((columns * h) / w)));
      const keepW = Math.min(columns, Math.max(1, rint((rows * w) / h)));
      picture = window(picture, (rows - keepH) >> 1, (columns - keepW) >> 1, keepH, keepW);
    } else if (this.fit === "pad") {
      const factor = Math.min(h / rows, w / columns);
      innerH = Math.min(h, Math.max(1, rint(rows * factor)));
      innerW = Math.min(w, Math.max(1, rint(columns * factor)));
    }
    return padded(this.toned(resized(picture, innerH, innerW)), h, w);
  }

  private toned(picture: Picture): Picture {
    if (this.equalize) picture = equalized(picture);
    return this.invert ? inverted(picture) : picture;
  }

  /** `table [256, channels]` applied to a model frame. */
  lookUp(pixels: Picture, table: Values): Values {
    const { channels } = pixels, found = table.slice(0, 0).constructor as { new (size: number): Values };
    const result = new found(pixels.data.length);
    for (let at = 0, channel = 0; at < result.length; at++) {
      result[at] = table[pixels.data[at] * channels + channel];
      if (++channel === channels) channel = 0;
    }
    return result;
  }

  /** The frames of one camera in their order, with what of them is remembered. */
  view(): View {
    return new View(this);
  }
}

/** One camera's frames as a model's pixels; where there is a foreground, against the room that they are seen in. */
export class View {
  private readonly room: Room | null;

  constructor(private readonly preprocess: Preprocess) {
    this.room = preprocess.foreground && new Room(preprocess.foreground);
  }

  /** The next frame has none before it. */
  reset(): void {
    this.room?.reset();
  }

  /** Frames are missing before the next one; what was learned of the room stays. */
  pause(): void {
    this.room?.pause();
  }

  /** The camera's next frame. */
  pixels(frame: Frame): Picture {
    if (!this.room) return this.preprocess.pixels(frame);
    const [h, w] = this.preprocess.shape, { detail } = this.room;
    return this.room.look(this.preprocess.picture(frame, h * detail, w * detail));
  }
}

function resized(picture: Picture, h: number, w: number): Picture {
  // Averaging keeps thin strokes when shrinking; it is blocky when enlarging.
  return h * w < picture.rows * picture.columns ? resizeArea(picture, h, w) : resizeLinear(picture, h, w);
}

function tableOf(channels: number, scale: number, mean: number[], std: number[]): Float32Array {
  const table = new Float32Array(256 * channels), one = (values: number[], channel: number, none: number): number =>
    Math.fround(values.length === 0 ? none : values[values.length === 1 ? 0 : channel]);
  for (let at = 0; at < table.length; at++) {
    const channel = at % channels, pixel = Math.fround(Math.floor(at / channels) * Math.fround(scale));
    table[at] = Math.fround(pixel - one(mean, channel, 0)) / one(std, channel, 1);
  }
  if (!table.every(Number.isFinite)) throw refused("{where}: scale = {value}: overflows", { where: "preprocess", value: shown(scale) });
  return table;
}
