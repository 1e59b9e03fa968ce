/** A query to a server about its history. */
interface EvidenceQuery {
  /** Column of the answer. */
  readonly name: string
  /**
   * Functions of `pg_catalog` that the user must be allowed to call. A refused call would end the
   * snapshot.
   */
  readonly needs: readonly string[]
  /** Which servers to ask. Default: both. */
  readonly on?: 'primary' | 'standby'
  readonly sql: string
}

/** SQL that prints a moment as ISO 8601 in UTC. */
const utc = (moment: string) =>
  `to_char(${moment} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

const STARTED: EvidenceQuery = {
  name: 'started_at',
  needs: ['pg_postmaster_start_time()'],
  sql: utc('pg_postmaster_start_time()'),
}

const REPLAYED_WAL: EvidenceQuery = {
  name: 'wal',
  needs: ['pg_last_wal_replay_lsn()'],
  on: 'standby',
  sql: 'pg_last_wal_replay_lsn()::text',
}

const FROM_CHECKPOINT = 'from pg_control_checkpoint()'

/** If two queries have one name, the first one that the user may run counts. */
const IDENTITY_QUERIES: readonly EvidenceQuery[] = [
  {
    name: 'system_id',
    needs: ['pg_control_system()'],
    sql: `(
      select s.system_identifier::text || '/' || d.oid::text
      from pg_control_system() as s, pg_database as d
      where d.datname = current_database())`,
  },
  {
    // A promotion changes the name of the log file at once, but the control file only at the next
    // checkpoint.
    name: 'timeline',
    needs: ['pg_walfile_name(pg_lsn)', 'pg_current_wal_lsn()'],
    on: 'primary',
    sql: `('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer`,
  },
  {
    name: 'timeline',
    needs: ['pg_control_checkpoint()'],
    sql: `(select timeline_id ${FROM_CHECKPOINT})`,
  },
  STARTED,
  {
    // If the server survives a crash, it resets its statistics and this time.
    name: 'statistics_since',
    needs: ['pg_stat_get_bgwriter_stat_reset_time()'],
    sql: utc('pg_stat_get_bgwriter_stat_reset_time()'),
  },
  {
    name: 'wal',
    needs: ['pg_current_wal_insert_lsn()'],
    on: 'primary',
    sql: 'pg_current_wal_insert_lsn()::text',
  },
  REPLAYED_WAL,
  {
    name: 'checkpoint',
    needs: ['pg_control_checkpoint()'],
    sql: `(select checkpoint_lsn::text ${FROM_CHECKPOINT})`,
  },
]

/** How far a standby has replayed its primary. The first permitted query of each name counts. */
const REPLAYED: readonly EvidenceQuery[] = [
  {
    // A standby that has not replayed a commit yet reports the time of its last checkpoint.
    name: 'replayed_to',
    needs: ['pg_last_xact_replay_timestamp()', 'pg_control_checkpoint()'],
    sql: utc(`least(now(), coalesce(
      pg_last_xact_replay_timestamp(), (select checkpoint_time ${FROM_CHECKPOINT})))`),
  },
  {
    name: 'replayed_to',
    needs: ['pg_last_xact_replay_timestamp()'],
    sql: utc(`least(now(), coalesce(pg_last_xact_replay_timestamp(), 'epoch'))`),
  },
  { name: 'replayed_to', needs: [], sql: utc(`timestamptz 'epoch'`) },
  STARTED,
  REPLAYED_WAL,
]

/** Every function that a query may call. */
export const EVIDENCE_FUNCTIONS: readonly string[] = [
  ...new Set([...IDENTITY_QUERIES, ...REPLAYED].flatMap(({ needs }) => needs)),
]

/** Which functions the user may call, and which kind of server answers. */
export interface EvidenceOptions {
  readonly permitted: readonly string[]
  readonly standby: boolean
}

/** A select of one row with everything that this user may ask about the server's history. */
export function selectEvidence(options: EvidenceOptions): string {
  return selectAnswers(IDENTITY_QUERIES, options)
}

/**
 * A select of one row that says how far a standby has replayed its primary. If it is asked before a
 * snapshot is taken, `replayed_to` is a lower bound: the snapshot holds everything that the primary
 * had committed before that time, by the times of its commits.
 */
export function selectReplayed(permitted: readonly string[]): string {
  return selectAnswers(REPLAYED, { permitted, standby: true })
}

function selectAnswers(
  queries: readonly EvidenceQuery[],
  { permitted, standby }: EvidenceOptions,
): string {
  const role = standby ? 'standby' : 'primary'
  const answers = new Map<string, string>()
  for (const { name, needs, on = role, sql } of queries) {
    const isAnswered = on === role && needs.every((each) => permitted.includes(each))
    if (isAnswered && !answers.has(name)) answers.set(name, `${sql} as ${name}`)
  }
  return `select ${[...answers.values()].join(', ')}`
}
