import { createHash } from 'node:crypto'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ObjectStore } from '../../src/platform/lake/store/object-store.ts'
import { commitKey, padBatch } from '../../src/platform/lake/zone.ts'
import type { SimulatedDatabase, TableName, Values } from './database.ts'

/** How a source with a bug is read. */
export interface SourceBug {
  /** Which rows changed since the last batch, if not by their transaction ids. */
  isRecent?(table: TableName, values: Values): boolean
  /** Called once the tables were read. */
  onRead?(): void
  /** Whether this table is read in a snapshot of its own. */
  looksAgain?(table: TableName): boolean
  /** Whether the server tells nothing about its history but its transaction counter. */
  readonly hidesHistory?: boolean
}

/** What a bug can get hold of. */
export interface BugWorld {
  readonly database: SimulatedDatabase
  readonly scratchDir: string
  /** The ingestion zone as it is. */
  readonly ingestion: ObjectStore
}

/** A known bug, planted by test code alone. */
export interface Planted {
  readonly name: string
  /** What the bug is, in a sentence. */
  readonly is: string
  source?(world: BugWorld): SourceBug
  ingestion?(store: ObjectStore, world: BugWorld): ObjectStore
  processed?(store: ObjectStore, world: BugWorld): ObjectStore
}

/** The newest time of a change that was read, by database and table. */
const watermarks = new WeakMap<SimulatedDatabase, Map<TableName, string>>()

/** Bugs that such systems have had, each of which the simulation must find. */
export const BUGS: readonly Planted[] = [
  {
    name: 'timestamp watermark',
    is: 'Changed rows are found by the time that they carry, not by their transaction ids.',
    source({ database }) {
      const known = watermarks.get(database) ?? new Map<TableName, string>()
      watermarks.set(database, known)
      const seen = new Map(known)
      return {
        isRecent(table, values) {
          const at = values['changed_at'] ?? ''
          if (at > (seen.get(table) ?? '')) seen.set(table, at)
          return at > (known.get(table) ?? '')
        },
        onRead() {
          for (const [table, at] of seen) known.set(table, at)
        },
      }
    },
  },
  {
    name: 'record first',
    is: 'The commit record is written before the files that it names.',
    ingestion: recordFirst,
  },
  {
    name: 'two snapshots',
    is: 'Each table is read in a snapshot of its own.',
    source: () => ({ looksAgain: (table) => table === 'orders' }),
  },
  {
    name: 'no chain check',
    is: 'A zone is taken for the one it was because its batch numbers match.',
    processed: (store, { ingestion }) => withoutOrigin(store, ingestion),
  },
  {
    name: 'counter as identity',
    is: "The source's history is taken for the one it was because its counter did not go back.",
    source: () => ({ hidesHistory: true }),
  },
  {
    name: 'no look after a race',
    is: 'A run that lost the race for a batch goes on as if the batch were its own.',
    ingestion: (store) => ({
      ...store,
      async putIfAbsent(key, body) {
        await store.putIfAbsent(key, body)
        return 'created'
      },
    }),
  },
]

/** Keeps files back until the record that names them is there. */
function recordFirst(store: ObjectStore, { scratchDir }: BugWorld): ObjectStore {
  const waiting: { key: string; path: string }[] = []
  return {
    ...store,
    async uploadIfAbsent(key, path) {
      // The caller may remove its file.
      const own = join(scratchDir, `kept-back-${key.replaceAll(/\W/g, '-')}`)
      await copyFile(path, own)
      waiting.push({ key, path: own })
      return 'created'
    },
    async putIfAbsent(key, body) {
      const outcome = await store.putIfAbsent(key, body)
      if (key.startsWith('batch/')) {
        for (const file of waiting.splice(0)) await store.uploadIfAbsent(file.key, file.path)
      }
      return outcome
    },
    async download(key, cacheDir) {
      const own = waiting.find((file) => file.key === key)
      return own?.path ?? (await store.download(key, cacheDir))
    },
  }
}

/** Shows each processed record as if it were made from the ingestion record that is there now. */
function withoutOrigin(store: ObjectStore, ingestion: ObjectStore): ObjectStore {
  return {
    ...store,
    async get(key) {
      const body = await store.get(key)
      const number = /\/batch\/(\d+)\.json$/.exec(key)?.[1]
      if (body === undefined || number === undefined) return body
      const origin = await ingestion.get(commitKey(Number(number)))
      if (origin === undefined) return body
      const { checksum } = JSON.parse(origin.toString()) as { checksum: string }
      const { checksum: _own, ...record } = JSON.parse(body.toString()) as Record<string, unknown>
      const before = Number(number) - 1
      const previous = await this.get(key.replace(padBatch(before + 1), padBatch(before)))
      const previousChecksum =
        previous && (JSON.parse(previous.toString()) as { checksum: string }).checksum
      return sealed({
        ...record,
        madeFrom: checksum,
        ...(previousChecksum && { previousChecksum }),
      })
    },
  }
}

/** A record with the checksum that its content has. */
function sealed(record: object): Buffer {
  const start = JSON.stringify(record).slice(0, -1)
  const sum = createHash('sha256').update(start).digest('hex')
  return Buffer.from(`${start},"checksum":"${sum}"}\n`)
}

/** The bug with this name. Throws if there is none. */
export function bugNamed(name: string): Planted {
  const found = BUGS.find((bug) => bug.name === name)
  if (found !== undefined) return found
  throw new TypeError(
    `no bug is called ${name}; there are: ${BUGS.map((bug) => bug.name).join(', ')}`,
  )
}
