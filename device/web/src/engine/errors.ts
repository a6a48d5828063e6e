/** Something given is not what it must be; the message is for the user and names the value and what is allowed. */
export class InputError extends Error {
  override name = "InputError";
}

/** A bundle that is damaged, changed, newer than this program, or not what it declares. */
export class BundleError extends InputError {
  override name = "BundleError";
}
