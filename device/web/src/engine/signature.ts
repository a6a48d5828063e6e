/** Ed25519 signatures of bundles. What is signed is the manifest, byte for byte; it has the SHA-256 of all else. */
import { refused } from "./errors";

export const SIGNATURE = "manifest.sig";
export const SIGNATURE_BYTES = 32 + 64;
const CONTEXT = new TextEncoder().encode("rnnedge bundle manifest 1\n");

/**
 * Who signed this manifest: 16 hexadecimal digits of the key's SHA-256; "" where nobody did, where the signature does
 * not fit, or where the browser cannot tell.
 *
 * @param given the member `manifest.sig`, the public key and then the signature; null for none
 * @param key hexadecimal digits of the only key to trust; undefined for any
 * @throws BundleError not signed with `key`, or a browser that cannot check it
 */
export async function signedBy(given: Uint8Array | null, manifest: Uint8Array, key?: string): Promise<string> {
  const wanted = key?.trim().toLowerCase();
  if (wanted !== undefined && !/^[0-9a-f]{64}$/.test(wanted)) throw refused("key: must be 64 hexadecimal digits");
  if (given === null) {
    if (wanted !== undefined) throw refused("not signed: must be signed with the key that this app trusts");
    return "";
  }
  const raw = given.slice(0, 32);
  const holds = await verified(raw, given.slice(32), manifest);
  if (wanted !== undefined) {
    if (hex(raw) !== wanted) throw refused("signed with another key than the one that this app trusts");
    if (holds === null) throw refused("this browser cannot check Ed25519 signatures: update it");
    if (!holds) throw refused("{name}: changed after it was signed, or the signature is forged", { name: SIGNATURE });
  }
  return holds ? (await sha256(raw)).slice(0, 16) : "";
}

/** Null where the browser has no Ed25519. */
async function verified(key: Uint8Array, value: Uint8Array, manifest: Uint8Array): Promise<boolean | null> {
  const message = new Uint8Array(CONTEXT.length + manifest.length);
  message.set(CONTEXT);
  message.set(manifest, CONTEXT.length);
  let imported: CryptoKey;
  try {
    imported = await crypto.subtle.importKey("raw", key.slice(), "Ed25519", false, ["verify"]);
  } catch (problem) {
    return problem instanceof DOMException && problem.name === "NotSupportedError" ? null : false;
  }
  return crypto.subtle.verify("Ed25519", imported, value.slice(), message);
}

/** 64 hexadecimal digits. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
