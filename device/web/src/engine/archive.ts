/** The container of a bundle: a ZIP of few plain names, stored, checked before a byte of a member is read. */
import { refused } from "./errors";
import { shown } from "./fields";

const MAX_MEMBERS = 64;
const PLAIN_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;
const END = 0x06054b50, ENTRY = 0x02014b50, LOCAL = 0x04034b50;

/** Where a member lies: all its sizes are within the file. */
export interface Member {
  readonly name: string;
  readonly size: number;
  readonly crc: number;
  readonly offset: number;
}

/**
 * The members by name, after names, kinds and sizes were checked; nothing is copied.
 *
 * @throws BundleError no ZIP, a name with folders or there twice, something compressed or encrypted, a false size
 */
export function checkedMembers(data: Uint8Array): Map<string, Member> {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const end = endOf(view);
  const count = view.getUint16(end + 10, true);
  if (count > MAX_MEMBERS) throw refused("{count} members: at most {most}", { count, most: MAX_MEMBERS });
  const found = new Map<string, Member>();
  let at = view.getUint32(end + 16, true), total = 0;
  for (let number = 0; number < count; number++) {
    if (at + 46 > end || view.getUint32(at, true) !== ENTRY) throw refused("damaged or not a bundle: its directory");
    const length = view.getUint16(at + 28, true);
    if (at + 46 + length > end) throw refused("damaged or not a bundle: its directory");
    const name = String.fromCharCode(...data.subarray(at + 46, at + 46 + length));
    if (!PLAIN_NAME.test(name)) {
      throw refused("member {name}: must be a plain file name, without folders", { name: shown(name) });
    }
    if (found.has(name)) throw refused("member '{name}': there twice", { name });
    if (view.getUint16(at + 10, true) !== 0 || view.getUint16(at + 8, true) & 1) {
      throw refused("member '{name}': must be stored, neither compressed nor encrypted", { name });
    }
    const size = view.getUint32(at + 24, true);
    total += size;
    if (view.getUint32(at + 20, true) !== size || total > data.length) {
      throw refused("member '{name}': its declared size {size} is false", { name, size });
    }
    const offset = contentOf(view, view.getUint32(at + 42, true), name, size);
    found.set(name, { name, size, crc: view.getUint32(at + 16, true), offset });
    at += 46 + length + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return found;
}

/**
 * A member's bytes.
 *
 * @throws BundleError its check sum is another
 */
export function readMember(data: Uint8Array, member: Member): Uint8Array<ArrayBuffer> {
  const bytes = data.slice(member.offset, member.offset + member.size);
  if (crc32(bytes) !== member.crc) throw refused("damaged or not a bundle: member '{name}'", { name: member.name });
  return bytes;
}

function endOf(view: DataView): number {
  // The record is the file's last but for a comment of at most 65,535 bytes.
  for (let at = view.byteLength - 22; at >= 0 && at >= view.byteLength - 22 - 0xffff; at--) {
    if (view.getUint32(at, true) === END && at + 22 + view.getUint16(at + 20, true) === view.byteLength) return at;
  }
  throw refused("damaged or not a bundle: not a ZIP file, or cut short");
}

function contentOf(view: DataView, local: number, name: string, size: number): number {
  if (local + 30 > view.byteLength || view.getUint32(local, true) !== LOCAL) {
    throw refused("damaged or not a bundle: member '{name}'", { name });
  }
  const offset = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (offset + size > view.byteLength) throw refused("damaged or not a bundle: member '{name}' is cut short", { name });
  return offset;
}

const CRC = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes: Uint8Array): number {
  let sum = -1;
  for (const byte of bytes) sum = CRC[(sum ^ byte) & 0xff] ^ (sum >>> 8);
  return (sum ^ -1) >>> 0;
}
