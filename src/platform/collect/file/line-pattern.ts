import { open } from 'node:fs/promises'
import type { LakeTable } from '../../lake/table-state.ts'
import { DAY, TIME, ZONE } from './exact-value.ts'
import { type FeedFile, givenOf } from './format.ts'

/**
 * A pattern for lines of JSON whose values DuckDB reads in the types of the columns without changing
 * any. Its reader takes 1.9 for the integer 2, and `true` for the number 1. So the bytes of the line
 * must prove that it holds no such value.
 *
 * For a gigabyte, proof by pattern and reading in types take 7.5 s of processor time. Reading as
 * text, casting, and comparing with the text take 10 s.
 */
export interface LinePattern {
  /** Matches one line with its end where the last match ended. The bytes are read as Latin-1. */
  readonly line: RegExp
  /** Columns that DuckDB may read in their types. All others are read as text. */
  readonly typed: ReadonlySet<string>
}

/** The lines in this many bytes at the start of a file tell the fields and their order. */
const SAMPLE_BYTES = 1 << 16

/**
 * Finds the pattern for the lines of a file: the fields of its first lines, in order, each at most
 * once. Returns undefined if none of these lines is an object. A line that matches may still be
 * invalid JSON, which DuckDB refuses; it holds no value that DuckDB changes. Reads only the start of
 * the file. Throws errors of the disk unchanged.
 */
export async function findPattern(
  file: FeedFile,
  table: LakeTable,
): Promise<LinePattern | undefined> {
  const names = mergeFields(await readFirstObjects(file.path))
  if (names.length === 0) return undefined
  const typed = new Set<string>()
  const fields = names.map((name) => {
    const type = table.columns.find((column) => column.name === name)?.type ?? ''
    const isGiven = givenOf(file, name) !== undefined
    const value = isGiven ? undefined : valuePattern(type)
    if (value !== undefined) typed.add(name)
    return `(?:${escape(latin1(JSON.stringify(name)))}: ?(?:${value ?? SCALAR}|null)(?:, ?)?)?`
  })
  return { line: new RegExp(`\\{${fields.join('')}\\}\\r?(?:\\n|$)`, 'y'), typed }
}

/** A text without the escape `\u0000`, because no column can hold a NUL. */
const TEXT = String.raw`"[^"\\\n]*(?:\\(?!u0000)[^\n][^"\\\n]*)*"`
/** A value that is read as text. In 16 characters, a number loses no digit. */
const SCALAR = `${TEXT}|[-+.0-9eE]{1,16}|true|false`
/** DuckDB reads the year 0000 as 1 BC. */
const YEAR = '(?!0000)'

const VALUES: Readonly<Record<string, string>> = {
  SMALLINT: orText('0|-?[1-9][0-9]{0,4}'),
  INTEGER: orText('0|-?[1-9][0-9]{0,9}'),
  BIGINT: orText('0|-?[1-9][0-9]{0,17}'),
  // A double is minus zero only if a point follows.
  DOUBLE: String.raw`(?!-0[^.])-?(?=[0-9.]{1,16}[^0-9.])[0-9]+(?:\.[0-9]+)?`,
  BOOLEAN: 'true|false',
  DATE: `"${YEAR}${DAY}"`,
  TIMESTAMP: `"${YEAR}${DAY}[ T]${TIME}"`,
  TIMESTAMPTZ: `"${YEAR}${DAY}[ T]${TIME}${ZONE}"`,
}

/** The most digits of a decimal that a double holds exactly. */
const EXACT_DIGITS = 15

/** The pattern of a value that DuckDB reads exactly in a type; undefined for types without one. */
function valuePattern(type: string): string | undefined {
  const [, precision, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(type) ?? []
  if (precision === undefined) return VALUES[type]
  if (Number(precision) > EXACT_DIGITS) return undefined
  const whole = `-?[0-9]{1,${Math.max(1, Number(precision) - Number(scale))}}`
  return orText(scale === '0' ? whole : `${whole}(?:\\.[0-9]{1,${scale}})?`)
}

/** A number, bare or in quotes. */
function orText(number: string): string {
  return `${number}|"(?:${number})"`
}

/** The objects in the first lines of a file. */
async function readFirstObjects(path: string): Promise<object[]> {
  await using source = await open(path)
  const { buffer, bytesRead } = await source.read(Buffer.alloc(SAMPLE_BYTES), 0, SAMPLE_BYTES, 0)
  const lines = buffer
    .toString('utf8', 0, bytesRead)
    .replace(/^\uFEFF/, '')
    .split('\n')
  return lines.flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line)
      return typeof value === 'object' && value !== null && !Array.isArray(value) ? [value] : []
    } catch {
      return []
    }
  })
}

/**
 * The names of all fields, in order. A field that an earlier object lacks comes after the field
 * before it in its own object.
 */ function mergeFields(objects: readonly object[]): string[] {
  const names: string[] = []
  for (const object of objects) {
    let place = 0
    for (const name of Object.keys(object)) {
      const found = names.indexOf(name)
      if (found === -1) names.splice(place, 0, name)
      place = (found === -1 ? place : found) + 1
    }
  }
  return names
}

/** A text as it looks if its bytes in UTF-8 are read as Latin-1. */
function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`)
}
