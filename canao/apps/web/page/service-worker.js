// Keeps all files of the page, so that it works without a network; other files make another version.

const FILES = ["@files@"];
const OWN = `canao ${registration.scope} `;
const NAME = OWN + "@version@";

/** All files, past what the browser has of an older version. */
async function keep() {
  const kept = await caches.open(NAME);
  await kept.addAll(FILES.map(name => new Request(name, { cache: "no-cache" })));
}

async function forgetOthers() {
  const names = await caches.keys();
  const old = names.filter(name => name.startsWith(OWN) && name !== NAME);
  await Promise.all(old.map(name => caches.delete(name)));
}

async function answer(request) {
  // To open what another version has removed would make it anew.
  const kept = await caches.match(request, { cacheName: NAME, ignoreSearch: true });
  return kept ?? fetch(request);
}

addEventListener("install", event => event.waitUntil(keep()));
addEventListener("activate", event => event.waitUntil(forgetOthers()));
addEventListener("fetch", event => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(registration.scope)) event.respondWith(answer(event.request));
});
