/** The service worker: the page works without a network from the second visit on, and hears of a newer version. */

import { $ } from "./elements";

/** Register it where the browser has such a thing and the page does not come out of an app. */
export async function keepOffline(): Promise<void> {
  if (!("serviceWorker" in navigator) || "rnnedgeApp" in window) return;
  let taken = false;
  navigator.serviceWorker.addEventListener("controllerchange", () => {
    // Only after the person asked for it: the first visit is taken over as well, and nothing is new then.
    if (taken) location.reload();
  });
  let registration: ServiceWorkerRegistration;
  try {
    registration = await navigator.serviceWorker.register("sw.js");
  } catch {
    return; // an untrusted certificate, a private window: the page works all the same
  }
  const offer = () => {
    const newer = registration.waiting;
    if (!newer || !navigator.serviceWorker.controller) return;
    $("fresh").hidden = false;
    $("renew").onclick = () => {
      taken = true;
      newer.postMessage("take over");
    };
  };
  offer();
  registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", offer));
}
