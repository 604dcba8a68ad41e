export { configureSync } from '../sync/sync-app.ts'
