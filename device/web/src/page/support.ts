/** What this browser lacks, before anything is tried. */

// A module of one function that uses a 128-bit instruction.
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/** The names of what is missing, none where all is there. */
export function missing(): string[] {
  const needs: [string, boolean][] = [
    ["WebAssembly SIMD", typeof WebAssembly === "object" && WebAssembly.validate(SIMD)],
    ["Worker", typeof Worker === "function"],
    ["ImageBitmap", typeof createImageBitmap === "function"],
    ["OffscreenCanvas", typeof OffscreenCanvas === "function"],
    ["requestVideoFrameCallback", "requestVideoFrameCallback" in HTMLVideoElement.prototype],
  ];
  return needs.filter(([, there]) => !there).map(([name]) => name);
}
