// Keeps the whole site, so that the page works without a network. `rnnedge deploy --web` puts a first line before this
// file: const SITE = {version, files}. A new version is fetched whole beside the old one, or not at all.

const PREFIX = "rnnedge ", NAME = PREFIX + self.registration.scope + " " + SITE.version;

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(NAME);
    try {
      await cache.addAll(SITE.files.map((file) => new Request(file, { cache: "reload" })));
    } catch (problem) {
      await caches.delete(NAME);
      throw problem;
    }
  })());
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    const mine = PREFIX + self.registration.scope + " ";
    for (const name of await caches.keys()) if (name.startsWith(mine) && name !== NAME) await caches.delete(name);
    await self.clients.claim();
  })());
});

// The page asks for it when the person does.
self.addEventListener("message", (event) => { if (event.data === "take over") self.skipWaiting(); });

self.addEventListener("fetch", (event) => {
  const { request } = event, url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  event.respondWith((async () => {
    const cache = await caches.open(NAME);
    const asked = url.href.split(/[?#]/)[0] === self.registration.scope ? "index.html" : request;
    return await cache.match(asked, { ignoreSearch: true }) ?? fetch(request);
  })());
});
