/** Keeps the screen on while the camera runs, where the browser can. */

let lock: WakeLockSentinel | null = null;
let wanted = false;

export async function stayAwake(on: boolean): Promise<void> {
  wanted = on;
  if (!on) {
    await lock?.release();
    lock = null;
    return;
  }
  try {
    const got = await navigator.wakeLock?.request("screen");
    if (wanted) lock = got ?? null;
    else await got?.release();
  } catch {
    // An empty battery, an old browser: the screen may go dark.
  }
}
