/**
 * public/sw.js: opens the app without a network. It keeps one page without anybody's rows (`routeRules` renders it in
 * the browser only) and the app's own files; the rows are in the layer's store. Nothing of `/api` is kept.
 */
const cacheName = 'app-1'
const shell = '/offline'

self.addEventListener('install', event => event.waitUntil(keepShell().then(() => self.skipWaiting())))
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()))

self.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== location.origin) return
  // The names of these files change with their content.
  if (url.pathname.startsWith('/_nuxt/')) event.respondWith(fromCache(request))
  else if (request.mode === 'navigate') event.respondWith(fetchPage(request))
})

async function keepShell() {
  const cache = await caches.open(cacheName)
  const page = await fetch(shell, { cache: 'no-store' })
  const html = await page.clone().text()
  await cache.put(shell, page)
  await cache.addAll([...new Set(html.match(/\/_nuxt\/[\w.-]+\.(?:js|css)/g))])
}

async function fromCache(request) {
  const cache = await caches.open(cacheName)
  const known = await cache.match(request)
  if (known) return known
  const answer = await fetch(request)
  if (answer.ok) await cache.put(request, answer.clone())
  return answer
}

/** The server's page, and a new shell beside it after a release; without a network the shell. */
async function fetchPage(request) {
  try {
    const page = await fetch(request)
    keepShell().catch(() => {})
    return page
  }
  catch (error) {
    const kept = await (await caches.open(cacheName)).match(shell)
    if (kept) return kept
    throw error
  }
}
