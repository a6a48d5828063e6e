/** Which camera: a list of those there are, and a button for the next one. */

import type { Camera, Facing } from "./camera";
import { $, make } from "./elements";
import { type Words, words } from "./language";

/** Show the cameras there are, the open one chosen; nothing where there is no choice. */
export async function showChoice(camera: Camera): Promise<void> {
  const all = await camera.list();
  $("turn").hidden = $("cameras").hidden = all.length < 2;
  const select = $<HTMLSelectElement>("camera");
  select.replaceChildren(
    ...all.map((device, index) => {
      const option = make("option", nameOf(device, index + 1)) as HTMLOptionElement;
      option.value = device.deviceId;
      return option;
    }),
  );
  select.value = camera.id ?? "";
}

/** The camera after the open one; of a phone's two the other. Undefined where only its direction is known. */
export async function nextCamera(camera: Camera): Promise<string | undefined> {
  const all = await camera.list();
  const at = all.findIndex((device) => device.deviceId === camera.id);
  return at < 0 ? undefined : all[(at + 1) % all.length]!.deviceId;
}

/** Where it looks, as far as the browser tells; else its own name, which the browser tells once one was allowed. */
function nameOf(device: MediaDeviceInfo, n: number): Words | string {
  const facing = (device as Partial<InputDeviceInfo>).getCapabilities?.().facingMode?.[0] as Facing | undefined;
  if (facing === "user") return words("front", { n });
  if (facing === "environment") return words("back", { n });
  return device.label || words("anyCamera", { n });
}
