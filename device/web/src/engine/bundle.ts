/** The bundle `NAME.rnnedge`: a stored ZIP of manifest, models, vocabulary and golden inputs, checked before use. */
import { checkedMembers, type Member, readMember } from "./archive";
import { vocabularyFrom } from "./caption";
import { MAX_BYTES } from "../protocol";
import { refused } from "./errors";
import { Fields, shown } from "./fields";
import { checkVersion, filesOf, Manifest } from "./manifest";
import { sha256, SIGNATURE, SIGNATURE_BYTES, signedBy } from "./signature";

const MANIFEST = "manifest.json";
const MAX_MANIFEST_BYTES = 4 * 2 ** 20;

/** A bundle whose names, sizes and digests were checked. */
export class Bundle {
  /** @param signedBy who signed it, see `signedBy` */
  private constructor(
    readonly manifest: Manifest,
    readonly members: ReadonlyMap<string, Uint8Array>,
    readonly signedBy: string,
  ) {}

  /** The words of a caption bundle, by their ids. */
  vocabulary(): string[] {
    const name = this.manifest.caption?.vocabulary ?? "";
    const member = this.members.get(name);
    if (!member) throw refused("{where}: vocabulary = {name}: is not a member", { where: MANIFEST, name: shown(name) });
    return vocabularyFrom(member, name);
  }

  /**
   * Read and check a bundle; the models in it are not parsed here.
   *
   * @param key hexadecimal digits of the public key it must be signed with; undefined for any bundle
   * @throws BundleError not a bundle, cut short, changed, newer than this program, or not what it declares
   */
  static async read(bytes: ArrayBuffer, key?: string): Promise<Bundle> {
    const data = new Uint8Array(bytes);
    if (data.length > MAX_BYTES) throw refused("{size} bytes: at most {most}", { size: data.length, most: MAX_BYTES });
    try {
      return await unpack(data, key, (manifest, members, signer) => new Bundle(manifest, members, signer));
    } catch (problem) {
      if (problem instanceof RangeError) throw refused("damaged or not a bundle");
      throw problem;
    }
  }
}

async function unpack(
  data: Uint8Array,
  key: string | undefined,
  made: (manifest: Manifest, members: Map<string, Uint8Array>, signer: string) => Bundle,
): Promise<Bundle> {
  const found = checkedMembers(data);
  const [raw, signature] = ownMembers(data, found);
  const signer = await signedBy(signature, raw, key);
  const declared = jsonOf(raw);
  const fields = new Fields(declared, MANIFEST);
  checkVersion(fields);
  const entries = filesOf(fields);
  for (const name of found.keys()) {
    if (name !== MANIFEST && name !== SIGNATURE && !entries.has(name)) {
      throw refused("member '{name}': not listed in {manifest}", { name, manifest: MANIFEST });
    }
  }
  const members = new Map<string, Uint8Array>();
  for (const [name, entry] of entries) {
    const member = found.get(name);
    if (!member || name === MANIFEST || name === SIGNATURE) {
      throw refused("{where}: files lists {name}, which is not a member", { where: MANIFEST, name: shown(name) });
    }
    if (member.size !== entry.size) {
      const gaps = { name, size: member.size, manifest: MANIFEST, declared: entry.size };
      throw refused("member '{name}': {size} bytes where {manifest} declares {declared}", gaps);
    }
    const bytes = readMember(data, member);
    if ((await sha256(bytes)) !== entry.sha256) {
      throw refused("{name}: the SHA-256 differs from the manifest's: the file was changed or damaged", { name });
    }
    members.set(name, bytes);
  }
  return made(new Manifest(declared), members, signer);
}

/** The manifest's bytes, not parsed, and the signature. */
function ownMembers(data: Uint8Array, found: Map<string, Member>): [Uint8Array, Uint8Array | null] {
  const manifest = found.get(MANIFEST), signature = found.get(SIGNATURE);
  if (!manifest) throw refused("{name} is missing", { name: MANIFEST });
  if (manifest.size > MAX_MANIFEST_BYTES) {
    const gaps = { name: MANIFEST, size: manifest.size, most: MAX_MANIFEST_BYTES };
    throw refused("{name}: {size} bytes: at most {most}", gaps);
  }
  if (signature && signature.size !== SIGNATURE_BYTES) {
    throw refused("{name}: {size} bytes: must be {must}", { name: SIGNATURE, size: signature.size, must: SIGNATURE_BYTES });
  }
  return [readMember(data, manifest), signature ? readMember(data, signature) : null];
}

function jsonOf(raw: Uint8Array): unknown {
  let text: string, found: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(raw);
    found = JSON.parse(text);
  } catch (problem) {
    const detail = problem instanceof Error ? problem.message : String(problem);
    throw refused("{name}: not JSON: {detail}", { name: MANIFEST, detail });
  }
  if (hasKeyTwice(text)) throw refused("{name}: a key is there twice", { name: MANIFEST });
  return found;
}

/** Of JSON that is well formed: the parser takes the last of two, and would hide the other. */
function hasKeyTwice(text: string): boolean {
  const keys: Set<string>[] = [];
  for (const [token, string, colon] of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}]/g)) {
    if (token === "{") keys.push(new Set());
    else if (token === "}") keys.pop();
    else if (colon) {
      const key: string = JSON.parse(string), known = keys[keys.length - 1];
      if (known.has(key)) return true;
      known.add(key);
    }
  }
  return false;
}
