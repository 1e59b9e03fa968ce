import { readFileSync } from 'node:fs'
import { type Client, onlyRow, type PostgresClient } from '../io/postgres.ts'
import { beginAndRun, type BeginOptions, textArray } from '../io/session.ts'
import { EVIDENCE_FUNCTIONS, type EvidenceOptions, selectEvidence } from './evidence.ts'
import type { SnapshotIdentity } from './identity.ts'

const IDENTITY = readFileSync(new URL('./identity.sql', import.meta.url), 'utf8').replace(
  /unnest\(:functions\)/,
  () => `unnest(${textArray(EVIDENCE_FUNCTIONS)})`,
)

interface IdentityRow {
  readonly xmin: string
  readonly xmax: string
  readonly in_flight: string[]
  readonly taken_at: string
  readonly standby: boolean
  readonly permitted: readonly string[]
}

interface EvidenceRow {
  readonly system_id?: string
  readonly timeline?: number
  readonly started_at?: string
  readonly statistics_since?: string | null
  readonly wal?: string
  readonly checkpoint?: string
}

/** By connection, which evidence its user might ask for the last time. */
const asked = new WeakMap<Client, EvidenceOptions>()

/**
 * Begins a snapshot and reads its identity. `permitted` are the functions that the user may call.
 * Takes one round trip if the user may ask for the same as the last time on this connection, two on
 * a new connection, and four if that has changed. Throws what `begin` throws.
 */
export async function beginIdentified(
  connection: PostgresClient,
  options: BeginOptions,
): Promise<{ identity: SnapshotIdentity; permitted: readonly string[] }> {
  const { client } = connection
  const hint = asked.get(client)
  asked.delete(client)
  if (hint !== undefined) {
    let failure: unknown
    try {
      const found = await beginAndRun(connection, options, IDENTITY, selectEvidence(hint))
      const row = onlyRow({ rows: (found[0] ?? []) as IdentityRow[] })
      const evidence = onlyRow({ rows: (found[1] ?? []) as EvidenceRow[] })
      if (row.standby === hint.standby && isSame(row.permitted, hint.permitted)) {
        asked.set(client, hint)
        return { identity: identityOf(row, evidence), permitted: row.permitted }
      }
    } catch (error) {
      // A right was revoked, or a standby was promoted. Any other error occurs again below.
      failure = error
    }
    await client.query('rollback').catch((error: unknown) => {
      throw failure ?? error
    })
  }
  const found = await beginAndRun(connection, options, IDENTITY)
  const row = onlyRow({ rows: (found[0] ?? []) as IdentityRow[] })
  const { permitted, standby } = row
  const evidence = onlyRow(await client.query<EvidenceRow>(selectEvidence({ permitted, standby })))
  asked.set(client, { permitted, standby })
  return { identity: identityOf(row, evidence), permitted }
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((each, index) => each === others[index])
}

function identityOf(row: IdentityRow, evidence: EvidenceRow): SnapshotIdentity {
  return {
    xmin: row.xmin,
    xmax: row.xmax,
    inFlight: row.in_flight,
    takenAt: row.taken_at,
    systemId: evidence.system_id ?? '',
    timeline: evidence.timeline ?? 0,
    standby: row.standby,
    startedAt: evidence.started_at,
    statisticsSince: evidence.statistics_since ?? undefined,
    wal: evidence.wal,
    checkpoint: evidence.checkpoint,
  }
}
