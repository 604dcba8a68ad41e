import { fileURLToPath } from 'node:url'

/** The demo app: everything the layer needs of an app is the `extends` line; the rest is this page. */
export default defineNuxtConfig({
  extends: ['..'],
  devtools: { enabled: false },
  app: {
    head: {
      title: 'or3-layer-sqlite playground',
      htmlAttrs: { lang: 'en' },
      meta: [
        { name: 'viewport', content: 'width=device-width, initial-scale=1' },
        { name: 'description', content: 'Two devices sync side by side through one local libSQL file.' },
        { name: 'color-scheme', content: 'light dark' },
      ],
      link: [{ rel: 'icon', type: 'image/svg+xml', href: '/favicon.svg' }],
    },
  },
  css: ['~/assets/tokens.css', '~/assets/base.css', '~/assets/controls.css'],
  compatibilityDate: '2026-11-01',
  nitro: {
    // The sample history is the tests' own fixture, read in place in dev and inlined into a build.
    serverAssets: [
      {
        baseName: 'sample',
        dir: fileURLToPath(new URL('../tests/fixtures', import.meta.url)),
        pattern: 'history.json',
      },
    ],
  },
  telemetry: false,
})
