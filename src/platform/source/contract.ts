import { RESERVED_COLUMNS, type SourceTable } from '../project/source-contract.ts'

/** Why a table could not be read although it keeps its contract. */
export type BreachReason =
  | 'unreadable'
  | 'capture_incomplete'
  | 'memory_exceeded'
  | 'scratch_full'
  | 'open_files'

/** Why a source table cannot be captured as its contract has it. */
export interface Breach {
  /** Code for machines; kept in commit records and quarantine. */
  readonly reason:
    | 'table_missing'
    | 'permission'
    | 'key_missing'
    | 'key_lost'
    | 'column_missing'
    | 'column_narrowed'
    | 'column_name'
    | 'key_not_unique'
    | 'key_not_exact'
    | 'too_many_rejected'
    | 'locked'
    | 'not_on_standby'
    | BreachReason
  /** One sentence: what is there and what is wanted. Names things of the source, no value. */
  readonly detail: string
}

/** What the catalogue says of a table that is there. */
export interface FoundTable {
  /** Columns the user may read, with domains resolved. */
  readonly columns: readonly { readonly name: string; readonly baseType: string }[]
  /** Columns that are there and may not be read. */
  readonly hidden: readonly string[]
  readonly isEnum: (column: string) => boolean
  /** Whether the catalogue proves the key to be unique and not null. */
  readonly keyIsUnique: boolean
  /** Whether it could: a view or foreign table has no constraints. */
  readonly canEnforceKey: boolean
}

/**
 * Holds a table against its contract; `undefined` when it is kept. A new column, another order, a
 * default, a new enum label and a type that holds more than the contract's keep it. Pure.
 */
export function findBreach(table: SourceTable, found: FoundTable): Breach | undefined {
  const present = new Map(found.columns.map((column) => [column.name, column.baseType]))
  const hidden = found.hidden.find((name) => isWanted(table, name))
  if (hidden !== undefined) {
    return { reason: 'permission', detail: `column ${hidden} may not be read` }
  }
  const lostKey = table.key.find((name) => !present.has(name))
  if (lostKey !== undefined) {
    return { reason: 'key_missing', detail: `its key column ${lostKey} is gone` }
  }
  for (const [name, wanted] of Object.entries(table.columns ?? {})) {
    const type = present.get(name)
    if (type === undefined) {
      return { reason: 'column_missing', detail: `column ${name} is gone` }
    }
    const wantedType = typeof wanted === 'string' ? wanted : wanted.type
    if (!holdsAll(type, wantedType, found.isEnum(name))) {
      return {
        reason: 'column_narrowed',
        detail: `column ${name} is ${type}, which does not hold every ${wantedType}`,
      }
    }
  }
  const [unusable] = findUnusableNames(found.columns.map(({ name }) => name))
  if (unusable !== undefined) {
    return {
      reason: 'column_name',
      detail:
        `column ${unusable} cannot be named in the lake: names must differ in more than case, ` +
        `and ${[...RESERVED_COLUMNS].join(', ')} are taken`,
    }
  }
  if (found.canEnforceKey && !found.keyIsUnique && table.keyIsUnenforced !== true) {
    return {
      reason: 'key_lost',
      detail: `no constraint holds its key (${table.key.join(', ')}) unique and not null`,
    }
  }
  return undefined
}

function isWanted({ key, columns = {} }: SourceTable, name: string): boolean {
  return key.includes(name) || Object.hasOwn(columns, name)
}

/** The names that could not stand beside those before them in the lake. */
export function findUnusableNames(names: readonly string[]): string[] {
  const seen = new Set<string>()
  return names.filter((name) => {
    const folded = name.toLowerCase()
    const isTaken = seen.has(folded) || RESERVED_COLUMNS.has(folded)
    seen.add(folded)
    return isTaken
  })
}

/**
 * Whether a Postgres type holds every value of another, both as `format_type` prints them; `enum`
 * stands for any enum. Where that is not known for sure the answer is no.
 */
export function holdsAll(type: string, wanted: string, isEnum = false): boolean {
  if (type === wanted) return true
  if (isUnboundedText(type)) return wanted === 'enum' || isText(wanted)
  if (wanted === 'enum') return isEnum
  const length = textLength(type)
  if (length !== undefined) return length >= (textLength(wanted) ?? Infinity)
  const digits = digitsOf(type, FITTING_DIGITS)
  const wantedDigits = digitsOf(wanted, NEEDED_DIGITS)
  if (digits !== undefined && wantedDigits !== undefined) {
    return digits.before >= wantedDigits.before && digits.after >= wantedDigits.after
  }
  if (type === 'double precision') return wanted === 'real'
  const precision = precisionOf(type)
  const wantedPrecision = precisionOf(wanted)
  return (
    precision !== undefined &&
    precision.kind === wantedPrecision?.kind &&
    precision.digits >= wantedPrecision.digits
  )
}

function isText(type: string): boolean {
  return isUnboundedText(type) || textLength(type) !== undefined
}

function isUnboundedText(type: string): boolean {
  return type === 'text' || type === 'character varying'
}

function textLength(type: string): number | undefined {
  const found = /^character varying\((\d+)\)$/.exec(type)
  return found ? Number(found[1]) : undefined
}

/** Digits of the whole numbers that all fit into a type, and those its greatest number needs. */
const FITTING_DIGITS: Readonly<Record<string, number>> = { smallint: 4, integer: 9, bigint: 18 }
const NEEDED_DIGITS: Readonly<Record<string, number>> = { smallint: 5, integer: 10, bigint: 19 }

/** Digits before and after the decimal point. */
function digitsOf(
  type: string,
  whole: Readonly<Record<string, number>>,
): { before: number; after: number } | undefined {
  const before = whole[type]
  if (before !== undefined) return { before, after: 0 }
  if (type === 'numeric') return { before: Infinity, after: Infinity }
  const found = /^numeric\((\d+),(-?\d+)\)$/.exec(type)
  if (!found) return undefined
  const scale = Number(found[2])
  return { before: Number(found[1]) - scale, after: scale }
}

/** Fractional digits of a second, of the kinds of type that differ in them only. */
function precisionOf(type: string): { kind: string; digits: number } | undefined {
  const found = /^(timestamp|time)(?:\((\d)\))? (with|without) time zone$/.exec(type)
  if (!found) return undefined
  return { kind: `${found[1]} ${found[3]}`, digits: Number(found[2] ?? 6) }
}
