/** One JSON object, read key by key; `done()` refuses the keys nobody asked for. */
import { BundleError } from "./errors";

type Json = Record<string, unknown>;

export class Fields {
  readonly where: string;
  private readonly data: Json;
  private readonly seen = new Set<string>();

  /** @param where the place, for messages, such as `manifest.json: forms[0]` */
  constructor(data: unknown, where: string) {
    if (!isObject(data)) throw new BundleError(`${where}: ${shown(data)} is not an object`);
    this.data = data;
    this.where = where;
  }

  fail(key: string, problem: string): BundleError {
    return new BundleError(`${this.where}: ${key} = ${shown(this.data[key])}: ${problem}`);
  }

  raw(key: string, fallback?: unknown): unknown {
    this.seen.add(key);
    if (Object.hasOwn(this.data, key)) return this.data[key];
    if (fallback === undefined) throw new BundleError(`${this.where}: the key '${key}' is missing`);
    return fallback;
  }

  text<T extends string = string>(key: string, fallback?: T, allowed?: readonly T[]): T {
    const value = this.raw(key, fallback);
    if (typeof value !== "string") throw this.fail(key, "must be a text");
    if (allowed && !allowed.includes(value as T)) throw this.fail(key, `must be one of ${allowed.join(", ")}`);
    return value as T;
  }

  integer(key: string, least = -Infinity, most = Infinity): number {
    const value = this.raw(key);
    if (!Number.isInteger(value)) throw this.fail(key, "must be a whole number");
    return this.within(key, value as number, least, most);
  }

  /** A number from `least` to `most`. */
  number(key: string, least = -Infinity, most = Infinity, fallback?: number): number {
    const value = this.raw(key, fallback);
    if (!isNumber(value)) throw this.fail(key, "must be a number");
    return this.within(key, value, least, most);
  }

  /** A number above zero, at most `most`. */
  positive(key: string, most = Infinity): number {
    const value = this.number(key, 0, most);
    if (value === 0) throw this.fail(key, "must be above zero");
    return value;
  }

  flag(key: string, fallback?: boolean): boolean {
    const value = this.raw(key, fallback);
    if (typeof value !== "boolean") throw this.fail(key, "must be true or false");
    return value;
  }

  table(key: string): Json {
    const value = this.raw(key);
    if (!isObject(value)) throw this.fail(key, "must be an object");
    return value;
  }

  list<T>(key: string, check: (item: unknown) => item is T, of: string, fallback?: T[]): T[] {
    const value = this.raw(key, fallback);
    if (!Array.isArray(value) || !value.every(check)) throw this.fail(key, `must be a list of ${of}`);
    return value;
  }

  /** A list of objects, each read by `read(object, place)`. */
  objects<T>(key: string, read: (item: unknown, where: string) => T): T[] {
    return this.list(key, isObject, "objects").map((item, index) => read(item, `${this.where}: ${key}[${index}]`));
  }

  /** An object read by `read(object, place)`, or null. */
  optional<T>(key: string, read: (item: unknown, where: string) => T, fallback?: null): T | null {
    const value = this.raw(key, fallback);
    return value === null ? null : read(value, `${this.where}: ${key}`);
  }

  /** Refuse what was not read. */
  done(): void {
    const unknown = Object.keys(this.data).filter((key) => !this.seen.has(key)).sort()[0];
    if (unknown === undefined) return;
    const known = [...this.seen].sort().join(", ");
    throw new BundleError(
      `${this.where}: unknown key ${shown(unknown)} = ${shown(this.data[unknown])}; allowed: ${known}`,
    );
  }

  private within(key: string, value: number, least: number, most: number): number {
    if (value >= least && value <= most) return value;
    const limit = most === Infinity ? `${least} or more` : `from ${least} to ${most}`;
    throw this.fail(key, `must be ${limit}`);
  }
}

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const isText = (value: unknown): value is string => typeof value === "string";
export const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
/** A whole number above zero. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;
/** A whole number, 0 or more. */
export const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** `value` as it goes into a message: short, on one line. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 80 ? text : text.slice(0, 77) + "...";
}
