import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConflictError, TransientError } from '../../src/platform/errors.ts'
import type { SourceTable } from '../../src/platform/project/source-contract.ts'
import { findBreach } from '../../src/platform/source/contract.ts'
import type { CopiedRows } from '../../src/platform/source/copy.ts'
import { isBehind } from '../../src/platform/source/horizon.ts'
import type { SnapshotIdentity } from '../../src/platform/source/identity.ts'
import type { SourceSnapshot } from '../../src/platform/source/source-snapshot.ts'
import type { TableShape } from '../../src/platform/source/table-shape.ts'
import type { SourceState } from '../../src/platform/source/tables.ts'
import type { SourceBug } from './bugs.ts'
import {
  type SimulatedDatabase,
  TABLES,
  type TableName,
  type Values,
  type Visibility,
} from './database.ts'

/** Called before each question to the source, which it may delay or refuse. */
export type AskGate = (question: string) => Promise<void>

const TYPES: Readonly<Record<string, string>> = {
  id: 'integer',
  customer_id: 'integer',
  units: 'integer',
  name: 'text',
  note: 'text',
  changed_at: 'timestamp without time zone',
}

/** A visible row. */
interface Row {
  readonly values: Values
  readonly xmin: bigint
}

/** Opens a snapshot of the simulated database, as `openSource` does of a Postgres. */
export async function openSimulated(
  database: SimulatedDatabase,
  { gate, bug = {} }: { gate: AskGate; bug?: SourceBug },
): Promise<SourceSnapshot> {
  await gate('open')
  const { session } = database
  const snapshot = database.snapshot()
  const identity = identify(database, snapshot, bug)
  const locked = new Set<TableName>()
  const identities = Object.fromEntries(
    TABLES.map((name) => [name, database.describe(name).identity]),
  ) as Record<TableName, number>
  const ask = async (question: string): Promise<void> => {
    await gate(question)
    if (database.session === session) return
    throw new TransientError('the simulated source was restarted', { code: 'SOURCE_UNREACHABLE' })
  }
  const rowsOf = (name: string) => {
    const table = tableNamed(name)
    const seen = bug.looksAgain?.(table) === true ? database.snapshot() : snapshot
    return database.visible(table, seen)
  }
  const recentIn = (name: string, age: number) => {
    const isRecent = isYounger(database, snapshot, age)
    return (row: Row) => bug.isRecent?.(tableNamed(name), row.values) ?? isRecent(row)
  }
  const lines = async (
    question: string,
    { shape, folder }: { shape: TableShape; folder: string },
    isWanted: (row: Row) => boolean = () => true,
  ): Promise<CopiedRows> => {
    await ask(`${question} ${shape.name}`)
    const names = shape.columns.map(({ name }) => name)
    return await writeRows(folder, names, rowsOf(shape.name).filter(isWanted))
  }
  return {
    identity,
    async reach(before) {
      if (!isBehind(identity, before)) return
      throw new TransientError('the simulated standby is behind', { code: 'SOURCE_BEHIND' })
    },
    async readTables({ tables }) {
      await ask('tables')
      for (const name of TABLES) {
        if (!locked.has(name)) database.locks[name] += 1
        locked.add(name)
      }
      return tables.map((table) => stateOf(database, table))
    },
    readCatalogue: () => Promise.reject(new TypeError('the simulated source has a contract')),
    readUnlisted: async () => [],
    async checkNotRewritten() {
      await ask('rewritten')
      bug.onRead?.()
      const isOther = (name: TableName) =>
        database.describe(name).identity !== identities[name] ||
        database.isTruncatedSince(name, snapshot)
      if (!TABLES.some(isOther)) return
      throw new ConflictError('a table was truncated', { code: 'SOURCE_REWRITTEN' })
    },
    async countTables(tables) {
      if (tables.length === 0) return new Map()
      await ask('count')
      return new Map(
        tables.map(({ shape, age }) => {
          const rows = rowsOf(shape.name)
          const recent = age === undefined ? [] : rows.filter(recentIn(shape.name, age))
          return [shape.name, { rows: rows.length, recent: recent.length }]
        }),
      )
    },
    copyRecent: (shape, { age, folder }) =>
      lines('recent', { shape, folder }, recentIn(shape.name, age)),
    copyKeys: (shape, { folder }) => {
      const columns = shape.columns.filter(({ name }) => shape.key.includes(name))
      return lines('keys', { shape: { ...shape, columns }, folder })
    },
    async *copyWhole(shape, { folder }) {
      yield await lines('whole', { shape, folder })
    },
    async [Symbol.asyncDispose]() {
      if (database.session !== session) return
      for (const name of locked) database.locks[name] -= 1
      locked.clear()
    },
  }
}

/**
 * As Postgres computes it: distances between transaction ids, on a circle of 32 bits. An old row may so
 * look recent.
 */
function isYounger(
  database: SimulatedDatabase,
  { xmax }: Visibility,
  age: number,
): (row: Row) => boolean {
  const { nextXid } = database
  const ageOf = (xid: bigint) => Number(BigInt.asIntN(32, nextXid - xid))
  const limit = ageOf(xmax) + age
  return ({ xmin }) => ageOf(xmin) <= limit
}

function identify(
  database: SimulatedDatabase,
  { xmin, xmax, inFlight }: Visibility,
  { hidesHistory = false }: SourceBug,
): SnapshotIdentity {
  const { wal, checkpoint, timeline, startedAt, at } = database.evidence()
  const counter = {
    xmin: String(xmin),
    xmax: String(xmax),
    // A standby does not list them.
    inFlight: database.isStandby ? [] : inFlight.map(String),
    takenAt: momentOf(at),
  }
  if (hidesHistory) return { ...counter, systemId: '', timeline: 0, standby: false }
  return {
    ...counter,
    systemId: '7000000000000000000/1',
    timeline,
    standby: database.isStandby,
    startedAt: momentOf(startedAt),
    statisticsSince: momentOf(0),
    wal: positionOf(wal),
    checkpoint: positionOf(checkpoint),
  }
}

/** A moment as Postgres prints it, with microseconds. */
export function momentOf(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z')
}

function positionOf(position: bigint): string {
  const hex = (part: bigint) => part.toString(16).toUpperCase()
  return `${hex(position >> 32n)}/${hex(BigInt.asUintN(32, position))}`
}

function tableNamed(name: string): TableName {
  const found = TABLES.find((table) => table === name)
  if (found === undefined) throw new TypeError(`the simulated source has no table ${name}`)
  return found
}

function stateOf(database: SimulatedDatabase, table: SourceTable): SourceState {
  const { columns: names, identity } = database.describe(tableNamed(table.name))
  const columns = names.map((name) => {
    const type = TYPES[name] ?? 'text'
    return { name, type, baseType: type, nullable: name !== 'id', default: null }
  })
  const shape: TableShape = {
    name: table.name,
    key: table.key,
    relation: table.name,
    columns,
    hasXmin: true,
    hasCtidRanges: false,
    sizeBytes: 8192,
    keyIsUnique: true,
    fingerprint: `${table.name}-${identity}-${names.join('-')}`.padEnd(16, '0'),
  }
  const found = { columns, hidden: [], isEnum: () => false, keyIsUnique: true, canEnforceKey: true }
  return { table, shape, breach: findBreach(table, found) }
}

/** Writes rows in COPY's text format, with a tab before each line. */
async function writeRows(
  folder: string,
  names: readonly string[],
  rows: readonly { readonly values: Values }[],
): Promise<CopiedRows> {
  const path = join(folder, `${randomUUID()}.copy`)
  const lines = rows.map(
    ({ values }) => `\t${names.map((name) => escape(values[name] ?? null)).join('\t')}\n`,
  )
  await writeFile(path, lines.join(''))
  const longestLineBytes = Math.max(0, ...lines.map((line) => Buffer.byteLength(line)))
  return { path, rows: rows.length, isUtf8: true, longestLineBytes }
}

function escape(value: string | null): string {
  if (value === null) return String.raw`\N`
  return value.replaceAll(/[\\\t\n\r]/g, (sign) => ESCAPED[sign] ?? sign)
}

const ESCAPED: Readonly<Record<string, string>> = {
  '\\': String.raw`\\`,
  '\t': String.raw`\t`,
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
}
