/** The layer's own config: Nuxt finds `modules/sync-layer.ts` by itself, and everything else is done there. */
export default defineNuxtConfig({
  // There is no `app/` here; without the name an app's typecheck would take the whole package for its own source.
  srcDir: 'app',
  compatibilityDate: '2026-11-01',
})
