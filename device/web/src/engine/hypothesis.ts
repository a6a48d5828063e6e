/** A hypothesis of a search for sentences, and how it grows by a word: one step of a decoder, the rules applied. */
import { END, PAD, START, UNKNOWN } from "./caption";
import { said } from "../problems";
import { InputError } from "./errors";
import type { Named, Values } from "./tensors";

/** What is searched: after a word and a state, how likely each word is next. The state is left as it is. */
export interface Decoder {
  step(token: number, state: Named): { choices: Float32Array; state: Named; attention: Values | null };
}

/** A sentence found, or the beginning of one. */
export interface Hypothesis {
  /** Without the marks. */
  readonly ids: number[];
  readonly logProbability: number;
  /** log-probability / words ** penalty, the end counted as a word. */
  readonly score: number;
  /** The end came; else it was cut. */
  readonly ended: boolean;
  /** `[P]` of each word; none without attention. */
  readonly attention: Values[];
}

/** A hypothesis that can go on, from a state; `first` marks the one that always took the likeliest word. */
export interface Live {
  readonly found: Hypothesis;
  readonly state: Named;
  readonly first: boolean;
}

export const begun = (state: Named): Live => ({
  found: { ids: [], logProbability: 0, score: 0, ended: false, attention: [] },
  state,
  first: true,
});

/** Steps of a decoder with the rules applied. */
export class Steps {
  constructor(
    private readonly decoder: Decoder,
    private readonly noRepeat: number,
    private readonly penalty: number,
  ) {}

  /** The `count` likeliest hypotheses that go on from one, or end it; of equal ones the lowest ids first. */
  ranked(live: Live, count: number): Live[] {
    const { ids } = live.found, { choices, state, attention } = this.choices(live);
    return likeliest(choices, count).map((word, rank) => {
      const ended = word === END, logProbability = live.found.logProbability + choices[word];
      const words = ended ? ids : [...ids, word], score = logProbability / (words.length + 1) ** this.penalty;
      const rows = ended || attention === null ? live.found.attention : [...live.found.attention, attention];
      const found = { ids: words, logProbability, score, ended, attention: rows };
      return { found, state, first: live.first && rank === 0 };
    });
  }

  private choices(live: Live): ReturnType<Decoder["step"]> {
    const { ids } = live.found, found = this.decoder.step(ids.length ? ids[ids.length - 1] : START, live.state);
    if (found.choices.some(Number.isNaN)) throw new InputError(said("the model gives NaN: its weights are damaged"));
    for (const word of [PAD, START, UNKNOWN, ...repeating(ids, this.noRepeat)]) found.choices[word] = -Infinity;
    return found;
  }
}

/** The places of the `count` highest that are not minus infinity, best first; of equal ones the lowest place first. */
function likeliest(choices: Float32Array, count: number): number[] {
  const found: number[] = [];
  for (let word = 0; word < choices.length; word++) {
    if (choices[word] === -Infinity || (found.length === count && choices[word] <= choices[found[count - 1]])) continue;
    let at = found.length;
    while (at > 0 && choices[found[at - 1]] < choices[word]) at--;
    found.splice(at, 0, word);
    if (found.length > count) found.pop();
  }
  return found;
}

/** The words that would complete an n-gram which `ids` already has; none for n = 0. */
export function repeating(ids: readonly number[], n: number): number[] {
  if (!n || ids.length < n) return [];
  const last = ids.slice(ids.length - n + 1), found: number[] = [];
  for (let at = 0; at <= ids.length - n; at++) {
    if (last.every((word, place) => ids[at + place] === word)) found.push(ids[at + n - 1]);
  }
  return found;
}
