import { readFileSync } from 'node:fs'
import type { WarehouseClient } from '../warehouse/warehouse.ts'

const CHANGES = readFileSync(new URL('./changes-over-time.sql', import.meta.url), 'utf8')
const SPAN = readFileSync(new URL('./batch-span.sql', import.meta.url), 'utf8')

/** Rows that were inserted, updated and deleted. */
export interface ChangeCounts {
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
}

/** A stretch of time with what changed in it. `at` is its first moment, in milliseconds. */
export interface ChangeStep extends ChangeCounts {
  readonly at: number
}

/** What changed when, in the newest batches. */
export interface ChangesOverTime {
  /** The length of a step in milliseconds. */
  readonly stepMs: number
  /** Every step from the first to the last, also those in which nothing changed. */
  readonly steps: readonly ChangeStep[]
  /** How many batches were looked at. */
  readonly batches: number
}

/** How many of the newest batches are looked at. */
export const MAX_BATCHES = 5000
/** The most steps. */
const MAX_STEPS = 60
/** The lengths that a step may have, in seconds: from a second to a quarter of a year. */
const LENGTHS = [
  1, 5, 15, 60, 300, 900, 3600, 10_800, 21_600, 86_400, 604_800, 2_592_000, 7_776_000, 31_536_000,
]

/**
 * What changed in these tables, and when it was captured, in as many steps as a small chart can show.
 * The very first batch is left out. Undefined if there is no other batch. Throws `pg`'s errors unchanged.
 */
export async function readChangesOverTime(
  { client }: WarehouseClient,
  tables: readonly string[],
): Promise<ChangesOverTime | undefined> {
  const span = await client.query<Record<'first' | 'last' | 'batches', string | null>>(SPAN, [
    MAX_BATCHES,
  ])
  const { first = null, last = null, batches } = span.rows[0] ?? {}
  if (first === null || last === null) return undefined
  const seconds = stepFor(Number(first), Number(last))
  const { rows } = await client.query<Record<'at' | keyof ChangeCounts, string>>(CHANGES, [
    tables,
    MAX_BATCHES,
    seconds,
  ])
  const found = new Map(rows.map((row) => [Number(row.at), row]))
  const from = Math.floor(Number(first) / seconds) * seconds
  const count = Math.floor((Number(last) - from) / seconds) + 1
  return {
    stepMs: seconds * 1000,
    batches: Number(batches),
    steps: Array.from({ length: count }, (_, index) => {
      const at = from + index * seconds
      const { inserted = 0, updated = 0, deleted = 0 } = found.get(at) ?? {}
      return {
        at: at * 1000,
        inserted: Number(inserted),
        updated: Number(updated),
        deleted: Number(deleted),
      }
    }),
  }
}

/** The shortest length with which a span has few enough steps, in seconds. Pure. */
export function stepFor(first: number, last: number): number {
  return LENGTHS.find((length) => (last - first) / length < MAX_STEPS - 1) ?? LENGTHS.at(-1) ?? 1
}
