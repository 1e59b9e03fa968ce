import { INTERVAL } from './driver-type.ts'
import type { TypedColumn, TypedTable } from './typed-tables.ts'

/** Names that the file uses itself. */
const OWN = [
  'AsOf',
  'AsOfBatch',
  'Buffer',
  'ColumnType',
  'Database',
  'Date',
  'Interval',
  'RawBuilder',
  'Read',
  'Selectable',
]

/** The widest line into which what is said of a name is put together. */
const WIDTH = 100

/**
 * The text of a file that declares the tables of a warehouse for Kysely: `Database`, and the functions
 * `asOf` and `asOfBatch` for tables that can be read as they were. The same tables always give the same
 * text. Pure.
 */
export function printTypes(
  tables: readonly TypedTable[],
  { title, schema }: { title: string; schema: string },
): string {
  const names = nameRows(tables)
  const nameOf = (table: string): string => names.get(table) ?? 'never'
  const past = tables.flatMap(({ past: found, name }) => (found ? [{ ...found, rows: name }] : []))
  const imports = past.length > 0 ? 'type ColumnType, type RawBuilder, type Selectable, sql' : ''
  const parts = [
    [
      `// The warehouse of ${oneLine(title)}, for Kysely. Made by \`tidemark types\`, which overwrites it.`,
      `import { ${imports || 'type ColumnType'} } from 'kysely'`,
    ],
    [
      ...comment(['A column that is read and never written.'], ''),
      'type Read<T> = ColumnType<T, never, never>',
    ],
    [
      ...comment([`The schema of the tables: ${code(schema)}.`], ''),
      `export const SCHEMA = ${quote(schema)}`,
    ],
    [
      'export interface Database {',
      ...tables.flatMap(({ name, about }) => [
        ...comment([...about, ...oddName(name)], '  '),
        `  ${key(name)}: ${nameOf(name)}`,
      ]),
      '}',
    ],
    ...tables.flatMap((table) => printRows(table, nameOf)),
    ...(tables.some(usesInterval) ? [INTERVAL.split('\n')] : []),
    ...(past.length > 0 ? printPast(past, nameOf) : []),
  ]
  return `${parts.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

/** A name for the type of each table's rows. Tables with the same rows share it. */
function nameRows(tables: readonly TypedTable[]): Map<string, string> {
  const names = new Map<string, string>()
  const taken = new Set(OWN)
  for (const { name, rows } of tables) {
    if (typeof rows === 'string') continue
    const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean)
    const joined = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
    const start = /^[\p{L}]/u.test(joined) ? joined : `Table${joined}`
    let found = start
    for (let count = 2; taken.has(found); count += 1) found = `${start}_${count}`
    taken.add(found)
    names.set(name, found)
  }
  for (const { name, rows } of tables) {
    if (typeof rows === 'string') names.set(name, names.get(rows) ?? 'never')
  }
  return names
}

function printRows(table: TypedTable, nameOf: (name: string) => string): string[][] {
  const { name, rows, extends: base } = table
  if (typeof rows === 'string') return []
  const extending = base === undefined ? '' : ` extends ${nameOf(base)}`
  return [
    [
      `export interface ${nameOf(name)}${extending} {`,
      ...rows.flatMap((column: TypedColumn) => [
        ...comment([...column.about, ...oddName(column.name)], '  '),
        `  ${key(column.name)}: Read<${column.type}>`,
      ]),
      '}',
    ],
  ]
}

function usesInterval({ rows }: TypedTable): boolean {
  return typeof rows !== 'string' && rows.some(({ type }) => /\bInterval\b/.test(type))
}

/** A table that can be read as it was, and the functions for that. */
type Past = NonNullable<TypedTable['past']> & { readonly rows: string }

function printPast(past: readonly Past[], nameOf: (name: string) => string): string[][] {
  const batches = past.flatMap((each) =>
    each.asOfBatch === undefined ? [] : [{ ...each, asOf: each.asOfBatch }],
  )
  return [
    ...printFunction('asOf', past, {
      nameOf,
      parameter: 'moment: Date | string',
      argument: '${moment}::timestamptz',
      about: [
        'The rows of a table as they were known at a moment. A `Date` has no microseconds, which moments',
        'in the warehouse have; a text may have them. Used as a table, with an alias:',
        `\`db.selectFrom(asOf(${quote(past[0]?.name ?? '')}, new Date()).as('then'))\``,
      ],
    }),
    ...printFunction('asOfBatch', batches, {
      nameOf,
      parameter: 'batch: bigint | number | string',
      argument: '${batch}::bigint',
      about: ['The rows of a table as they were known after a batch, used like `asOf`.'],
    }),
  ]
}

function printFunction(
  name: 'asOf' | 'asOfBatch',
  past: readonly { readonly name: string; readonly asOf: string; readonly rows: string }[],
  {
    nameOf,
    parameter,
    argument,
    about,
  }: {
    nameOf: (table: string) => string
    parameter: string
    argument: string
    about: readonly string[]
  },
): string[][] {
  if (past.length === 0) return []
  const type = name === 'asOf' ? 'AsOf' : 'AsOfBatch'
  const functions = name === 'asOf' ? 'AS_OF' : 'AS_OF_BATCH'
  return [
    [
      ...comment([`The tables of which \`${name}\` returns rows.`], ''),
      `export interface ${type} {`,
      ...past.map((each) => `  ${key(each.name)}: ${nameOf(each.rows)}`),
      '}',
    ],
    [
      `const ${functions}: { readonly [Table in keyof ${type}]: string } = {`,
      ...past.map((each) => `  ${key(each.name)}: ${quote(each.asOf)},`),
      '}',
    ],
    [
      ...comment(about, ''),
      `export function ${name}<Table extends keyof ${type}>(`,
      '  table: Table,',
      `  ${parameter},`,
      `): RawBuilder<Selectable<${type}[Table]>> {`,
      `  return sql\`\${sql.id(SCHEMA, ${functions}[table])}(${argument})\``,
      '}',
    ],
  ]
}

/** What to know of a name that Kysely takes for two. */
function oddName(name: string): string[] {
  if (!name.includes('.') && !name.includes(' as ')) return []
  return [`Kysely would split this name: write it as \`sql.id(${quote(name)})\`.`]
}

function comment(lines: readonly string[], indent: string): string[] {
  const safe = lines.map((each) => oneLine(each).replaceAll('*/', '*\\/'))
  const line = `${indent}/** ${safe.join(' ')} */`
  if (safe.length === 1 || line.length <= WIDTH) return [line]
  return [`${indent}/**`, ...safe.map((each) => `${indent} * ${each}`), `${indent} */`]
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}

function code(text: string): string {
  return `\`${text}\``
}

/** The name of a member, quoted if it must be. */
function key(name: string): string {
  // Without brackets, an object would take it for its prototype.
  if (name === '__proto__') return `['__proto__']`
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? name : quote(name)
}

function quote(text: string): string {
  const escaped = JSON.stringify(text)
    .slice(1, -1)
    .replaceAll(String.raw`\"`, '"')
  return `'${escaped.replaceAll("'", String.raw`\'`)}'`
}
