/** The layer's own config: Nuxt finds `modules/sync-layer.ts` by itself, and everything else is done there. */
export default defineNuxtConfig({
  compatibilityDate: '2026-11-01',
})
