/** From scores a frame to events: smoothing, hysteresis, minimum length, refractory time. */
import { refused } from "./errors";
import { Fields } from "./fields";
import { round } from "./numbers";

/** When a score becomes an event (docs/device.md). Times in milliseconds, scores 0..1. */
export interface EventRules {
  readonly smoothMs: number;
  readonly on: number;
  readonly off: number;
  readonly minMs: number;
  readonly refractoryMs: number;
}

export function eventRulesFrom(data: unknown, where: string): EventRules {
  const fields = new Fields(data, where);
  const found = {
    smoothMs: fields.number("smooth_ms", 0),
    on: fields.positive("on", 1),
    off: fields.positive("off", 1),
    minMs: fields.number("min_ms", 0),
    refractoryMs: fields.number("refractory_ms", 0),
  };
  fields.done();
  if (found.off > found.on) {
    throw refused("{where}: off = {off}: must be at most on = {on}", { where, off: found.off, on: found.on });
  }
  return found;
}

export interface Event {
  readonly event: "start" | "end";
  readonly label: string;
  readonly start_ms: number;
  readonly end_ms?: number;
  readonly ts_ms: number;
  readonly score: number;
}

/** A label whose score is up: since when, how high at most, and whether it was reported. */
interface Run {
  readonly startMs: number;
  peak: number;
  reported: boolean;
}

/** Scores of one source, step by step, to the starts and ends of events. */
export class EventDecoder {
  private smooth: Float64Array | null = null;
  private tsMs = 0;
  private readonly runs = new Map<string, Run>();
  private readonly quietUntil = new Map<string, number>();

  /** @param background the label of no event; "" for none */
  constructor(
    private readonly labels: readonly string[],
    private readonly background: string,
    private readonly rules: EventRules,
  ) {}

  /** Forget scores, running events and refractory times; nothing is reported. */
  reset(): void {
    this.smooth = null;
    this.tsMs = 0;
    this.runs.clear();
    this.quietUntil.clear();
  }

  /** The labels whose start was reported and whose end was not. */
  get running(): string[] {
    return [...this.runs].filter(([, run]) => run.reported).map(([label]) => label);
  }

  /** One step's probabilities, `[K]`; the events it starts or ends, whose score is the highest smoothed one so far. */
  step(tsMs: number, scores: Float32Array): Event[] {
    if (this.smooth === null) {
      this.smooth = Float64Array.from(scores);
    } else {
      const { smoothMs } = this.rules;
      const share = smoothMs ? -Math.expm1(-(tsMs - this.tsMs) / smoothMs) : 1;
      for (let at = 0; at < scores.length; at++) this.smooth[at] += share * (scores[at] - this.smooth[at]);
    }
    this.tsMs = tsMs;
    const found: Event[] = [];
    this.labels.forEach((label, index) => {
      if (label === this.background) return;
      const run = this.runs.get(label), score = this.smooth![index];
      if (run || score >= this.rules.on) found.push(...this.follow(label, run, score));
    });
    return found;
  }

  private follow(label: string, run: Run | undefined, score: number): Event[] {
    const { tsMs, rules } = this;
    if (!run) {
      if (tsMs < (this.quietUntil.get(label) ?? -Infinity)) return [];
      run = { startMs: tsMs, peak: score, reported: false };
      this.runs.set(label, run);
    } else if (score < rules.off) {
      return this.end(label, run, tsMs);
    }
    run.peak = Math.max(run.peak, score);
    if (run.reported || tsMs - run.startMs < rules.minMs) return [];
    run.reported = true;
    return [eventOf("start", label, run, tsMs)];
  }

  private end(label: string, run: Run, tsMs: number): Event[] {
    this.runs.delete(label);
    if (!run.reported) return [];
    this.quietUntil.set(label, tsMs + this.rules.refractoryMs);
    return [eventOf("end", label, run, tsMs)];
  }

  /** The ends of all running events at the last step; the unreported vanish. */
  finish(): Event[] {
    return [...this.runs].flatMap(([label, run]) => this.end(label, run, this.tsMs));
  }
}

function eventOf(event: "start" | "end", label: string, run: Run, tsMs: number): Event {
  const ended = event === "end" ? { end_ms: round(tsMs, 3) } : {};
  const start_ms = round(run.startMs, 3);
  return { event, label, start_ms, ...ended, ts_ms: round(tsMs, 3), score: round(run.peak, 6) };
}
