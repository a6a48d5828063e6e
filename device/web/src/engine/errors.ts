import { type Gaps, type Problem, said, type Said, sentence } from "../problems";

/** Something given is not what it must be; what is said is for the user and names the value and what is allowed. */
export class InputError extends Error {
  override name = "InputError";

  constructor(readonly said: Said) {
    super(sentence(said));
  }
}

/** A bundle that is damaged, changed, newer than this program, or not what it declares. */
export class BundleError extends InputError {
  override name = "BundleError";
}

/** The error that refuses a bundle with this sentence. */
export function refused<T extends Problem>(problem: T, ...gaps: Gaps<T>): BundleError {
  return new BundleError(said(problem, ...gaps));
}
