/**
 * The limits that a client can meet, each with its reason. The first group holds the defaults of what an operator may
 * change (server/config/sync.ts).
 */

/** A February client may send 50 ops of 256 KiB in one body. */
export const maxBodyBytes = 16 * 1024 * 1024
/** Twenty times what a client sends. One push is one transaction. */
export const maxOpsPerPush = 1_000
/**
 * Requests a minute and user. Both clean-ups share one count. All changes of workspaces, members and invites share
 * another: people make them by hand. A device polls 30 times a minute and pushes while its user works. A session
 * request comes before the user is known, so it counts by address; a page makes one when it is opened.
 */
export const requestsPerMinute = { 'push': 200, 'pull': 120, 'snapshot': 60, 'update-cursor': 60, 'live': 240, 'gc': 10, 'workspaces': 60, 'session': 60 }
/** The body of a request other than a push: a scope, a page token and fifty table names fit many times over. */
export const maxQueryBytes = 64 * 1024
/** Pages being made for or sent to one user. A user has a few devices with a few tabs; each asks for one at a time. */
export const maxOpenPages = 16
/** Event streams and waiting pulls of one user: as many as devices, each of which has one for all of its tabs. */
export const maxLiveListeners = 16
/** How long a pull may wait for a change: less than the 30 s after which proxies and our client give a request up. */
export const maxPullWaitMs = 25_000
/** No chain of proxies is longer. A much larger number is a mistake that would trust what a client wrote. */
export const maxTrustedProxies = 10

/** The clients' own limit, in bytes of JSON. They match the error text that names it. */
export const maxPayloadBytes = 262_144

/** SQLite reads JSON nested up to 1,000 levels. This leaves room for what wraps a payload and for recursive clients. */
export const maxPayloadDepth = 256
/**
 * The receipt of a superseded op carries the winner's payload twice. All winners of one answer together have at most
 * this many bytes, so that small ops cannot ask for a huge answer. Encoding that much takes about 20 ms. A device
 * learns the other winners by its next pull.
 */
export const maxWinnerBytes = 4 * 1024 * 1024
/** Without a limit one op with clock 2^53−1 would win for ever. */
export const maxClock = 2 ** 32 - 1

export const maxIdLength = 256
export const maxHlcLength = 512
export const maxPkLength = 1_024
export const maxTableNameLength = 128
export const maxTablesInFilter = 50
export const maxPageTokenLength = 4_096

export const defaultPullLimit = 100
export const maxPullLimit = 1_000
export const maxSnapshotPageSize = 1_000

/** A page ends once its text has this many UTF-16 units; the client goes on from there. */
export const maxPageTextLength = 16 * 1024 * 1024
/** A page is read this many rows at a time, and its length checked in between: at most 32 MiB of payloads. */
export const maxRowsPerRead = 128

/**
 * Maximum number of superseded changes that a snapshot page rewinds through, about 60 ms of work. Only changes of the
 * page's rows count, so a device can load a large workspace while others write. A user who pushes 200 times 100 ops a
 * minute to the same 128 rows reaches the limit in two and a half minutes.
 */
export const maxStepsBack = 50_000

/** Below an hour a running snapshot could lose the changes it reads. Above a year the log would never shrink. */
export const minRetentionSeconds = 3_600
export const maxRetentionSeconds = 31_536_000
/** Lifetime of a page token: shorter than the shortest retention, so that the changes it rewinds to are still there. */
export const snapshotTtlSeconds = 1_800

/** A deferred put is sent again after this long: a device polls about every two seconds. */
export const deferredRetrySeconds = 2
