/** One JSON object, read key by key; `done()` refuses the keys nobody asked for. */
import { type Gaps, type Problem, said } from "../problems";
import { type BundleError, refused } from "./errors";

type Json = Record<string, unknown>;
type ListProblem = Extract<Problem, `must be a list of ${string}`>;

export class Fields {
  readonly where: string;
  private readonly data: Json;
  private readonly seen = new Set<string>();

  /** @param where the place, for messages, such as `manifest.json: forms[0]` */
  constructor(data: unknown, where: string) {
    if (!isObject(data)) throw refused("{where}: {value} is not an object", { where, value: shown(data) });
    this.data = data;
    this.where = where;
  }

  /** The error that refuses a key's value, and says what it must be. */
  fail<T extends Problem>(key: string, problem: T, ...gaps: Gaps<T>): BundleError {
    const must = said(problem, ...gaps), { where } = this;
    return refused("{where}: {key} = {value}: {must}", { where, key, value: shown(this.data[key]), must });
  }

  raw(key: string, fallback?: unknown): unknown {
    this.seen.add(key);
    if (Object.hasOwn(this.data, key)) return this.data[key];
    if (fallback === undefined) throw refused("{where}: the key '{key}' is missing", { where: this.where, key });
    return fallback;
  }

  text<T extends string = string>(key: string, fallback?: T, allowed?: readonly T[]): T {
    const value = this.raw(key, fallback);
    if (typeof value !== "string") throw this.fail(key, "must be a text");
    if (allowed && !allowed.includes(value as T)) {
      throw this.fail(key, "must be one of {allowed}", { allowed: allowed.join(", ") });
    }
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

  list<T>(key: string, check: (item: unknown) => item is T, must: ListProblem, fallback?: T[]): T[] {
    const value = this.raw(key, fallback);
    if (!Array.isArray(value) || !value.every(check)) throw this.fail(key, must);
    return value;
  }

  /** A list of objects, each read by `read(object, place)`. */
  objects<T>(key: string, read: (item: unknown, where: string) => T): T[] {
    return this.list(key, isObject, "must be a list of objects").map((item, index) => read(item, `${this.where}: ${key}[${index}]`));
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
    const gaps = { where: this.where, key: shown(unknown), value: shown(this.data[unknown]), known };
    throw refused("{where}: unknown key {key} = {value}; allowed: {known}", gaps);
  }

  private within(key: string, value: number, least: number, most: number): number {
    if (value >= least && value <= most) return value;
    if (most === Infinity) throw this.fail(key, "must be {least} or more", { least });
    throw this.fail(key, "must be from {least} to {most}", { least, most });
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
