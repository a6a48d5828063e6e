/**
 * From a decoder's steps to sentences, greedy or by beam.
 *
 * A search yields after each step of the decoder: the words that have become certain with it. Who drives it may do
 * something else in between, so that a long caption does not stop the camera.
 */
import { begun, type Decoder, type Hypothesis, type Live, Steps } from "./hypothesis";
import type { Named } from "./tensors";

export interface SearchOptions {
  readonly beam: number;
  readonly lengthPenalty: number;
  readonly noRepeat: number;
  readonly maxLength: number;
}

export type Search = Generator<number[], Hypothesis, void>;

/** The best sentence from a state. */
export function search(decoder: Decoder, state: Named, options: SearchOptions): Search {
  const steps = new Steps(decoder, options.noRepeat, options.lengthPenalty);
  return options.beam === 1 ? greedy(steps, state, options) : beamSearch(steps, state, options);
}

/** The likeliest word each step; of equal ones the lowest id. */
function* greedy(steps: Steps, state: Named, options: SearchOptions): Search {
  let live = begun(state);
  for (let length = 0; length < options.maxLength; length++) {
    const following = steps.ranked(live, 1);
    if (!following.length) break;
    live = following[0];
    yield live.found.ended ? [] : live.found.ids.slice(-1);
    if (live.found.ended) break;
  }
  return live.found;
}

/**
 * Each step keeps the `beam` hypotheses of highest log-probability, ended ones among them, and the greedy one beside
 * them, so that no beam ends below greedy. It stops early only when no live hypothesis can reach the best score.
 */
function* beamSearch(steps: Steps, state: Named, options: SearchOptions): Search {
  let live = [begun(state)], found: Hypothesis[] = [], over = false;
  for (let length = 0; length < options.maxLength && !over; length++) {
    const following: Live[] = [];
    for (const each of live) {
      const after = steps.ranked(each, options.beam);
      following.push(...after);
      if (!after.length) found.push(each.found);
      yield [];
    }
    // Stable: of equal sums the better hypothesis's come first.
    following.sort((a, b) => b.found.logProbability - a.found.logProbability);
    const kept = following.filter((item, rank) => rank < options.beam || item.first);
    found = [...found, ...kept.map((item) => item.found).filter((item) => item.ended)];
    live = kept.filter((item) => !item.found.ended);
    over = !live.length || settled(live, found, options);
  }
  if (!over) found.push(...live.map((item) => item.found));
  const best = found.sort((a, b) => b.score - a.score || compared(a.ids, b.ids))[0];
  yield best.ids;
  return best;
}

function settled(live: Live[], found: Hypothesis[], options: SearchOptions): boolean {
  if (!found.length) return false;
  const highest = Math.max(...live.map((item) => item.found.logProbability));
  const reach = highest / (options.maxLength + 1) ** options.lengthPenalty;
  return Math.max(...found.map((item) => item.score)) > reach;
}

/** As tuples are compared. */
function compared(a: readonly number[], b: readonly number[]): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) if (a[at] !== b[at]) return a[at] - b[at];
  return a.length - b.length;
}
