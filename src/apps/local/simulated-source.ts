import type pg from 'pg'
import type { Config } from '../../platform/config.ts'
import type { DemoClock } from './clock.ts'

/**
 * A source that a project brings along, so that `tidemark up` has something to show: a database in
 * the embedded Postgres that is filled and then lives by a clock.
 */
export interface SimulatedSource {
  /** The name of its database. */
  readonly database: string
  /** Settings that decide how its clock runs. Without `start` it goes on from where it stands. */
  clock(config: Config): { readonly start: string | undefined; readonly speed: number }
  /** Creates its tables if they are missing. May be repeated; touches no rows. */
  prepare(client: pg.Client): Promise<void>
  /** The moment up to which everything has happened; undefined if nothing lives there yet. */
  readReached(client: pg.Client): Promise<Date | undefined>
  /**
   * Founds what lives in the source, as the settings say, and fills it up to the first capture of its
   * past. `begun` is the moment at which the demo begins.
   */
  found(client: pg.Client, options: { config: Config; begun: Date }): Promise<FilledSource>
  /** Opens what lives in the source. Throws if nothing was founded there. */
  open(client: pg.Client): Promise<Life>
  /** Starts a server beside the source that answers for its feeds, and drops files of their past. */
  serveFeeds?(options: FeedServerOptions): Promise<LocalFeedServer>
}

/** What fills a source at first, and keeps it alive. */
export interface Life {
  /** The moment at which the demo was first started. */
  readonly begun: Date
  /** The moment up to which everything has happened. */
  readonly reached: Date
  /**
   * The moments at which its past still has to be captured, oldest first; none if the past is over.
   */
  momentsLeft(): readonly Date[]
  /**
   * Makes everything happen up to a moment, in one transaction. Writes nothing if nothing happens, or
   * if the moment has already passed.
   */
  passTime(until: Date): Promise<LivingEvents>
}

/** Rows that were created, changed and deleted in all tables. */
export interface LivingEvents {
  readonly created: number
  readonly changed: number
  readonly deleted: number
}

/** How many tables a source was filled with, and how many rows they hold. */
export interface FilledSource {
  readonly tables: number
  readonly rows: number
}

/** What a server of feeds is started from. */
export interface FeedServerOptions {
  readonly config: Config
  readonly life: Pick<Life, 'begun'>
  readonly clock: Pick<DemoClock, 'now'>
  /** The folder into which files for feeds are dropped, one folder for each feed. */
  readonly dropFolder: string
}

/** A server on this machine that answers for feeds. Disposing closes it. */
export interface LocalFeedServer extends AsyncDisposable {
  readonly url: string
}

/**
 * Lives through the past of a source, from where it stands to the beginning of the demo, and captures
 * it several times. During a capture the clock stays at the end of that part of the past, so that the
 * batch is dated by it and marked. Ends early if `capture` returns false; the next call goes on from
 * there. Returns whether the past is over.
 */
export async function livePast(
  life: Pick<Life, 'momentsLeft' | 'passTime'>,
  clock: Pick<DemoClock, 'standAt'>,
  capture: (moment: Date) => Promise<boolean>,
): Promise<boolean> {
  for (const moment of life.momentsLeft()) {
    await life.passTime(moment)
    if (!(await clock.standAt(moment, () => capture(moment)))) return false
  }
  return true
}
