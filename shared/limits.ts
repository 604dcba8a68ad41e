/**
 * The limits that a client can meet, each with its reason. The first group holds the defaults of what an operator may
 * change (server/config/sync.ts).
 */

/** A February client may send 50 ops of 256 KiB in one body. */
export const maxBodyBytes = 16 * 1024 * 1024
/** Twenty times what a client sends. One push is one transaction. */
export const maxOpsPerPush = 1_000
/**
 * Requests a minute and user, each counted once per mebibyte that it sends or gets. Ten devices of one user that poll
 * every two seconds make 300 pulls. On live streams, while one types without a break, they make 480 pushes and 1,950
 * pulls.
 * Both clean-ups share one count, and so do all changes of workspaces, members and invites. The session is asked for
 * before the user is known, so it counts by address: 200 users behind one address open the app within a minute.
 */
export const requestsPerMinute = {
  'push': 600,
  'pull': 2_400,
  'snapshot': 600,
  'update-cursor': 400,
  'live': 240,
  'gc': 10,
  'workspaces': 120,
  'session': 600,
}
/** What counts as one request. */
export const bytesPerRequest = 1024 * 1024

/**
 * Bytes of large bodies and answers that are in memory at one moment, in all: with a heap of 512 MB the process stays
 * under 700 MB, for a body is text, values and rows for a while.
 */
export const maxBytesInFlight = 96 * 1024 * 1024
/** Of one user: two of the largest pushes and some pages. Further ones wait, and are refused after `budgetWaitMs`. */
export const maxUserBytesInFlight = 40 * 1024 * 1024
/** A smaller body or answer is not counted: the number of requests bounds those. */
export const smallBytes = 64 * 1024
/** How long a request waits for its part of the budget: a page is made in milliseconds. */
export const budgetWaitMs = 3_000
/** Held for a page while it is made: its text and the part that ended it. */
export const pageReserveBytes = 8 * 1024 * 1024
/** Requests of one connection that are not answered yet: browsers and proxies send one at a time. */
export const maxRequestsPerSocket = 8
/** Of one user: ten devices with three requests each at one moment. */
export const maxUserRequestsInFlight = 32
/** In all: each takes some 40 KB while it waits. */
export const maxRequestsInFlight = 2_000
/** A connection on which nothing moves while a body or an answer is under way ends after this long. */
export const idleSeconds = 60
/** What is read of a refused body before its connection ends: one closed at once often loses the answer on its way. */
export const maxDrainBytes = 16 * 1024 * 1024

/** Bytes of one workspace's log, with keys and stamps: a small server's disk holds some of these. */
export const maxWorkspaceBytes = 2 * 1024 ** 3
export const maxWorkspaceRows = 2_000_000
/** Of all workspaces that one user owns, deleted ones until they are purged. */
export const maxOwnerBytes = 4 * 1024 ** 3
export const maxOwnerRows = 4_000_000
/** Where less is free on the database's disk, puts are refused; deletes, sessions and clean-up go on. */
export const diskReserveBytes = 256 * 1024 * 1024
/** Cursors of one user in one workspace: the one that was silent longest goes. */
export const maxDevicesPerUser = 100
/** Log lines a minute about failed requests; the rest is counted in one line. */
export const logLinesPerMinute = 60
/** Event streams and waiting pulls of one user: as many as devices, each of which has one for all of its tabs. */
export const maxLiveListeners = 16
/** In all: each takes some 20 KB while it is open, and no part of `maxRequestsInFlight`. */
export const maxLiveListenersInAll = 10_000
/** How long a pull may wait for a change: less than the 30 s after which proxies and our client give a request up. */
export const maxPullWaitMs = 25_000
/** The body of a request other than a push: a scope, a page token and fifty table names fit many times over. */
export const maxQueryBytes = 64 * 1024
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

/** Long enough for every auth provider's ids, short enough to be indexed. */
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
export const maxPageTextLength = 4 * 1024 * 1024
/** Bytes of rows read by one statement: SQLite makes one text of them, which holds the event loop for some 20 ms. */
export const maxPartBytes = 1024 * 1024
/** Rows of a pull or a snapshot read by one statement. */
export const maxRowsPerRead = 128
/** Rows of a snapshot followed back by one statement: 4 MiB of the largest payloads. */
export const maxRowsPerRewind = 16

/**
 * Maximum number of superseded changes that a snapshot page rewinds through, about 60 ms of work. Only changes of the
 * page's rows count, so a device can load a large workspace while others write. A user who pushes 200 times 100 ops a
 * minute to the same 128 rows reaches the limit in two and a half minutes.
 */
export const maxStepsBack = 50_000

/** Below an hour a running snapshot could lose the changes it reads. Above a year the log would never shrink. */
export const minRetentionSeconds = 3_600
export const maxRetentionSeconds = 31_536_000
/** A silent device's cursor is kept for twice the longest retention. Until then it is told that it is behind. */
export const cursorLifeSeconds = 2 * maxRetentionSeconds
/** Lifetime of a page token: shorter than the shortest retention, so that the changes it rewinds to are still there. */
export const snapshotTtlSeconds = 1_800

/** A deferred put is sent again after this long: a device polls about every two seconds. */
export const deferredRetrySeconds = 2

/**
 * A database server answers with rows of at most 5 MB: payloads and stamps of one read stay below, whatever they hold.
 */
export const maxAnswerBytes = 3 * 1024 * 1024
