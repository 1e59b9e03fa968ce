import { patternOf } from '../project/patterns.ts'
import { RESERVED_COLUMNS, type SourceTable } from '../project/source-contract.ts'

/** Reasons why a table cannot be read although it keeps its contract. */
export type BreachReason =
  | 'unreadable'
  | 'capture_incomplete'
  | 'memory_exceeded'
  | 'scratch_full'
  | 'open_files'

/** Why a source table is held. */
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
    | 'key_changed'
    | 'name_taken'
    | 'too_many_columns'
    | 'key_not_unique'
    | 'key_not_exact'
    | 'too_many_rejected'
    | 'locked'
    | 'not_on_standby'
    | BreachReason
  /**
   * One sentence: what the source has, and what the contract requires. It names columns and tables,
   * but no value.
   */
  readonly detail: string
}

/** What the catalogue says about a table that exists. */
export interface FoundTable {
  /** Columns that the user may read, with domains resolved. */
  readonly columns: readonly { readonly name: string; readonly baseType: string }[]
  /** Columns that exist but that the user may not read. */
  readonly hidden: readonly string[]
  readonly isEnum: (column: string) => boolean
  /** Whether the catalogue proves the key to be unique and not null. */
  readonly keyIsUnique: boolean
  /** Whether it could prove that. A view or a foreign table has no constraints. */
  readonly canEnforceKey: boolean
}

/**
 * Compares a table with its contract; undefined if the table keeps it. These changes keep it: a new
 * column, another order, a default, a new enum label, and a type that holds more than the
 * contract's type. Pure.
 */
export function findBreach(table: SourceTable, found: FoundTable): Breach | undefined {
  const present = new Map(found.columns.map((column) => [column.name, column.baseType]))
  const hidden = found.hidden.find((name) => isWanted(table, name))
  if (hidden !== undefined) {
    return { reason: 'permission', detail: describeHidden(table, hidden) }
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
        `and ${[...RESERVED_COLUMNS].join(', ')} are reserved`,
    }
  }
  const later = findTooWide(table, found) ?? findLater(table, found)
  if (later !== undefined) return later
  if (found.canEnforceKey && !found.keyIsUnique && table.keyIsUnenforced !== true) {
    return {
      reason: 'key_lost',
      detail: `no constraint keeps its key (${table.key.join(', ')}) unique and not null`,
    }
  }
  return undefined
}

/** Says that a column may not be read, and in a mirror what to do. */
function describeHidden(table: SourceTable, column: string): string {
  if (table.captured === undefined) return `this user may not read column ${column}`
  const remedy = table.captured.key.includes(column)
    ? `leave the table out (--exclude '${patternIn(table)}')`
    : `leave it out (--exclude '${patternIn(table, column)}')`
  return `this user may not read column ${column} any more: grant it again, or ${remedy}`
}

/** The pattern of a table of a mirror, or of one of its columns. */
function patternIn(
  { name, schema, relation = name }: SourceTable,
  ...column: readonly string[]
): string {
  return patternOf(...(schema === undefined ? [] : [schema]), relation, ...column)
}

/**
 * How many columns a table of a mirror may have: as many as Postgres allows in the view of its history,
 * without those that tell the history.
 */
const MAX_MIRRORED_COLUMNS = 1600 - 8

/** Whether a table of a mirror has too many columns for its history. */
function findTooWide(table: SourceTable, { columns }: FoundTable): Breach | undefined {
  const { mirrored, isByContent } = table
  if (mirrored !== true || columns.length <= MAX_MIRRORED_COLUMNS) return undefined
  // The hash and the count are among its columns.
  const room = MAX_MIRRORED_COLUMNS - (isByContent === true ? 2 : 0)
  return {
    reason: 'too_many_columns',
    detail:
      `it has more than the ${room} columns that a table with its history can have: ` +
      `leave some out (--exclude '${patternIn(table)}.<column>')`,
  }
}

/** What a table of a mirror may not do any more once it was captured. */
function findLater(table: SourceTable, found: FoundTable): Breach | undefined {
  const { key, captured } = table
  if (captured === undefined) return undefined
  const reserved = new Set(captured.reserved)
  const taken = found.columns.find(({ name }) => reserved.has(name.toLowerCase()))?.name
  if (taken !== undefined) {
    return {
      reason: 'column_name',
      detail:
        `column ${taken} came later and has the name of a column that tells the history: ` +
        `rename it, or leave it out (--exclude '${patternIn(table, taken)}')`,
    }
  }
  const added = key.find((name) => !captured.columns.includes(name))
  if (added === undefined) return undefined
  return {
    reason: 'key_changed',
    detail:
      `its key was (${captured.key.join(', ')}) and is (${key.join(', ')}), but no captured version has ` +
      `${added}: undo it, or give the table another name in the project, which begins anew ` +
      `(mirror.tables)`,
  }
}

/**
 * Whether the contract needs a column. A mirror needs every column that it has captured: without
 * one, its later versions would say null where the source has a value.
 */
function isWanted({ key, columns = {}, captured }: SourceTable, name: string): boolean {
  return (
    key.includes(name) ||
    Object.hasOwn(columns, name) ||
    captured?.key.includes(name) === true ||
    captured?.columns.includes(name) === true
  )
}

/** The names that the lake cannot hold beside the names before them. */
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
 * Whether a Postgres type holds every value of another type. Both are written as `format_type`
 * prints them, and `enum` stands for any enum. Returns false unless it is certain.
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

/**
 * How many digits a whole number may have and still fit into the type, and how many digits the
 * greatest value of the type needs.
 */
const FITTING_DIGITS: Readonly<Record<string, number>> = { smallint: 4, integer: 9, bigint: 18 }
const NEEDED_DIGITS: Readonly<Record<string, number>> = { smallint: 5, integer: 10, bigint: 19 }

/** Digits that a type has before and after the decimal point. */
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

/** Fractional digits of a second, for types that differ only in them. */
function precisionOf(type: string): { kind: string; digits: number } | undefined {
  const found = /^(timestamp|time)(?:\((\d)\))? (with|without) time zone$/.exec(type)
  if (!found) return undefined
  return { kind: `${found[1]} ${found[3]}`, digits: Number(found[2] ?? 6) }
}
