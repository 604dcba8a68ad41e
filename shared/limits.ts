/**
 * The numbers of the protocol that a client can meet, with their reasons. What an operator may change starts from the
 * first group (see settings.ts).
 */

/** A February client may send 50 ops of 256 KiB in one body. */
export const maxBodyBytes = 16 * 1024 * 1024
/** Twenty times what a client sends; one push is one transaction. */
export const maxOpsPerPush = 1_000
/**
 * Requests a minute and user; both clean-ups share one count, and so do all changes of workspaces, members and invites,
 * which people make by hand. A device polls 30 times, and pushes often only while somebody is at work. The
 * session is asked for before anybody is known, so it counts by address: a page does so once, as it is opened.
 */
export const requestsPerMinute = { 'push': 200, 'pull': 120, 'snapshot': 60, 'update-cursor': 60, 'live': 240, 'gc': 10, 'workspaces': 60, 'session': 60 }
/** Of a request that is no push: a scope, a cursor or page token, and fifty names of tables fit many times over. */
export const maxQueryBytes = 64 * 1024
/** Made or on their way to one user, who has some devices with some tabs, each of which asks for one at a time. */
export const maxOpenPages = 16
/** Event streams and waiting pulls of one user: as many as devices, each of which has one for all of its tabs. */
export const maxLiveListeners = 16
/** How long a pull may wait for a change: less than the 30 s after which proxies and our client give a request up. */
export const maxPullWaitMs = 25_000
/** A chain of proxies is not longer; and a number that is wrong by far would believe what a client wrote. */
export const maxTrustedProxies = 10

/** The clients' own ceiling; they match the text that names it. In bytes of JSON. */
export const maxPayloadBytes = 262_144

/** SQLite reads JSON nested to 1,000 levels; the rest is for what wraps a payload, and for recursive clients. */
export const maxPayloadDepth = 256
/**
 * Losers' receipts carry what won, each of them twice; together no more than this as it is sent, so that small ops cannot
 * ask for a huge answer. Making this much stops the event loop for some 20 ms; a device learns the rest by its next pull.
 */
export const maxWinnerBytes = 4 * 1024 * 1024
/** One op with clock 2^53−1 would win for ever. */
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

/** A page that has grown so long, in UTF-16 units, ends before it is full: clients go on from where it ended. */
export const maxPageTextLength = 16 * 1024 * 1024
/** One look at that length for so many rows: 32 MiB of the largest payloads. */
export const maxRowsPerRead = 128

/**
 * One look of a snapshot goes back through no more changes, some 60 ms; a page ends after so many. Only changes of the rows
 * looked at count, so a device that loads a large workspace gets through while others write: a user at the push limit,
 * 200 of 100 ops a minute, who changes nothing but the same 128 rows gets there in two and a half minutes, and with one
 * row that each push changes once in four hours.
 */
export const maxStepsBack = 50_000

/** Below an hour a snapshot under way could lose what it reads; above a year nothing would ever be dropped. */
export const minRetentionSeconds = 3_600
export const maxRetentionSeconds = 31_536_000
/** A page's token; shorter than the shortest retention, so that what a snapshot follows back to is still there. */
export const snapshotTtlSeconds = 1_800

/** A deferred put is sent again after this long: a device polls about every two seconds. */
export const deferredRetrySeconds = 2
