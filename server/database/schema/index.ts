/** The layer's Drizzle tables, for its own code and for apps that refer to them: `or3-layer-sqlite/schema`. */
export * from './connect.ts'
export * from './host.ts'
export * from './identity.ts'
export * from './sync.ts'
export * from './webhooks.ts'
