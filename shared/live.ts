/**
 * Live hints as they go over the wire: server-sent events of one workspace. A hint says that the head has moved and no
 * more; the changes come by a pull. Upholds P11.
 */

/** The first event of a stream. */
export interface LiveHello {
  /** The workspace's head now. */
  head: number
  /** The stream ends after so many seconds, so that the whole session is looked at again. */
  seconds: number
}

/** The log has grown to `head`, and a pull sees it. */
export interface LiveHead { head: number }

/**
 * Why the server ends a stream. `reopen`: its time is up, come again at once. `restart`: the server stops, come again
 * within seconds. `session`: sessions of this user have ended, come again with the one of now. `unauthenticated` and
 * `forbidden`: nobody is signed in any more, or may not read this workspace. `unavailable`: that could not be told.
 */
export type LiveEnd = 'reopen' | 'restart' | 'session' | 'unauthenticated' | 'forbidden' | 'unavailable'

export type LiveEvent
  = | { type: 'hello', data: LiveHello }
    | { type: 'head', data: LiveHead }
    | { type: 'end', data: { reason: LiveEnd } }

/** A comment is sent where nothing else was for so many milliseconds: proxies and clients end a silent connection. */
export const liveHeartbeatMs = 10_000
