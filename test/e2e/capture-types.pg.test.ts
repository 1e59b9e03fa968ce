import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { extract } from '../../src/platform/extract/extract.ts'
import { lakeType } from '../../src/platform/lake/lake-type.ts'
import { openWarehouse } from '../../src/platform/warehouse/warehouse.ts'
import { bareProject, thingProject } from '../support/bare-project.ts'
import { readTable } from '../support/lake.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

let system: TestSystem
afterEach(() => system[Symbol.asyncDispose]())

/** Column type → values as Postgres reads them. Each must come out as Postgres prints it. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  smallint: ['-32768', '32767'],
  integer: ['-2147483648', '2147483647'],
  bigint: ['-9223372036854775808', '9223372036854775807'],
  boolean: ['true', 'false'],
  real: [
    '0.1',
    '-0',
    '3.4028235e38',
    '1e-45',
    'NaN',
    'Infinity',
    '-Infinity',
    '16777217',
    '1.17549435e-38',
  ],
  'double precision': [
    '0.1',
    '-0',
    '1.7976931348623157e308',
    '5e-324',
    '0.30000000000000004',
    'NaN',
    'Infinity',
    '-Infinity',
    '9007199254740993',
    '2.2250738585072014e-308',
  ],
  numeric: [
    '0.1',
    '1.50',
    '123456789012345678901234567890123456789012345678.123456789',
    'NaN',
    'Infinity',
    '-0.000',
  ],
  'numeric(10,2)': ['99999999.99', '-99999999.99', '0.10'],
  'numeric(38,10)': ['1234567890123456789012345678.0123456789', '-0.0000000001'],
  'numeric(40,2)': ['12345678901234567890123456789012345678.12'],
  'numeric(5,-2)': ['1234500'],
  date: [
    '0001-01-01',
    '0044-03-15 BC',
    '4713-01-01 BC',
    '9999-12-31',
    '10000-01-01',
    '294276-12-31',
    '5874897-12-31',
    '2024-02-29',
    'infinity',
    '-infinity',
  ],
  timestamp: [
    '2024-01-01 10:00:00.123',
    '2024-01-01 23:59:59.999',
    '2024-01-01 23:59:59.999999',
    '0001-01-01 00:00:00',
    '0044-03-15 12:00:00.5 BC',
    '9999-12-31 23:59:59.999999',
    '294246-12-31 23:59:59.999999',
    '4713-01-01 00:00:00 BC',
    'infinity',
    '-infinity',
  ],
  'timestamp(3)': ['2024-01-01 10:00:00.123'],
  timestamptz: [
    '2024-03-31 01:30:00+01',
    '2024-10-27 01:30:00.001+00',
    '0044-03-15 12:00:00+00 BC',
    'infinity',
    '-infinity',
  ],
  time: ['00:00:00', '23:59:59.999', '23:59:59.999999', '24:00:00', '12:34:56.1'],
  timetz: ['12:00:00+05:30', '24:00:00-03'],
  interval: ['1 year 2 mons 3 days 04:05:06.789', '-1 day'],
  bytea: ['\\x', '\\x00', '\\x5c4e', '\\xdeadbeef00ff'],
  uuid: [
    '6b0f1a52-7f0e-4c1f-9a55-2f8f3a0c9d11',
    '00000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
  ],
  json: ['null', '{"a" : [1, 2.50, "x\\n\\u00e9"]}', '"text"', '[]'],
  jsonb: ['null', '{"a": 1e400}', '"\\\\N"'],
  'integer[]': ['{}', '{1,NULL,3}', '{{1,2},{3,4}}'],
  'text[]': ['{"a,b","\\"q\\"",NULL,"NULL",""}'],
  mood: ['ok', 'it\'s "so", so'],
  price: ['12.345'],
  days: ['0044-03-15 BC'],
  'char(5)': ['ab'],
  'varchar(9)': ['', 'NULL'],
  xml: ['<a>b</a>'],
  inet: ['10.0.0.1/8'],
  bit: ['1'],
  int4range: ['[1,5)', 'empty'],
  point: ['(1.5,-2)'],
  money: ['12.34'],
}

describe('types', () => {
  it.each(Object.entries(VALUES))(
    'I6 every value of %s is in the lake exactly',
    async (type, values) => {
      system = await createSystem({
        project: bareProject([{ name: 'thing', key: ['id'] }]),
        template: 'empty',
      })
      await system.sql.query(`create type mood as enum ('ok', 'it''s "so", so');
      create domain amount as numeric(10,3); create domain price as amount check (value > 0);
      create domain days as date;
      create table thing (id integer primary key, value ${type}, other ${type})`)
      await system.sql.query(
        `insert into thing select n, v::${type}, null from unnest($1::text[]) with ordinality as t (v, n)`,
        [values],
      )
      await system.sql.query(`set timezone = 'UTC'; set extra_float_digits = 3`)
      const { record } = await extract(system.deps)
      const lake = await readTable(system, record, 'thing')
      const { rows } = await system.sql.query<{ value: string }>(
        'select value::text from thing order by id',
      )
      const read = type === 'bytea' ? lake.map((row) => ({ value: hex(row['value'] ?? '') })) : lake
      expect(read.map((row) => normal(type, row['value']))).toEqual(
        rows.map((row) => normal(type, row.value)),
      )
      expect(new Set(lake.map((row) => row['other']))).toEqual(new Set([null]))

      await system.sql.query('update thing set value = value')
      expect((await extract(system.deps)).committed).toBe(false)
    },
  )
})

/** The two databases print the same value in different letters. */
function normal(type: string, text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null
  if (type === 'boolean') return text.slice(0, 1)
  if (type === 'real' || type === 'double precision') {
    const number = text.toLowerCase().replace('infinity', 'inf')
    return Number.isFinite(Number(number))
      ? String(Object.is(Number(number), -0) ? '-0' : Number(number))
      : number
  }
  if (type === 'char(5)') return text.trimEnd()
  return text.replace(/^(\S+) \(BC\)(.*)$/, '$1$2 BC')
}

/** DuckDB prints a byte as itself where it can. */
function hex(text: string): string {
  const bytes = text.match(/\\x[0-9A-F]{2}|[^]/g) ?? []
  const digits = bytes.map((byte) =>
    byte.length > 1 ? byte.slice(2) : byte.codePointAt(0)?.toString(16),
  )
  return `\\x${digits.join('').toLowerCase()}`
}

describe('docs/types.md', () => {
  const documented = readDocumented()

  it('says how the lake holds each type that is tried here', () => {
    for (const type of Object.keys(VALUES)) {
      const row = documented.find(({ types }) => types.includes(MADE_HERE[type] ?? type))
      expect(row, `no row for ${type}`).toBeDefined()
    }
  })

  it.each(documented.flatMap(({ types, lake }) => types.map((type) => [type, lake] as const)))(
    '%s is %s',
    (type, lake) => {
      expect(lakeType(printed(type))).toBe(lake)
      const isTried = Object.keys(VALUES).some((tried) => (MADE_HERE[tried] ?? tried) === type)
      expect(isTried, `${type} is documented, but no test tries it`).toBe(true)
    },
  )
})

/** The names in the documentation for types that these tests create. */
const MADE_HERE: Readonly<Record<string, string>> = {
  mood: 'an enum',
  price: 'a domain',
  days: 'a domain',
  'integer[]': 'an array',
  'text[]': 'an array',
}

/** As `format_type` prints it, domains resolved. */
function printed(type: string): string {
  const names: Readonly<Record<string, string>> = {
    timestamp: 'timestamp without time zone',
    'timestamp(3)': 'timestamp(3) without time zone',
    timestamptz: 'timestamp with time zone',
    time: 'time without time zone',
    timetz: 'time with time zone',
    'an enum': 'mood',
    'an array': 'integer[]',
    'char(5)': 'character(5)',
    'varchar(9)': 'character varying(9)',
    // Counts as its base type.
    'a domain': 'date',
  }
  return names[type] ?? type
}

/** The rows of the table in docs/types.md: types that the lake holds in the same way. */
function readDocumented(): { types: string[]; lake: string }[] {
  const text = readFileSync(new URL('../../docs/types.md', import.meta.url), 'utf8')
  return text.split('\n').flatMap((line) => {
    const [, types, lake] = /^\| (`.*?) \| `([A-Z]+(?:\([\d,]+\))?)` \|/.exec(line) ?? []
    if (types === undefined || lake === undefined) return []
    return [{ types: [...types.matchAll(/`([^`]+)`/g)].map(([, type = '']) => type), lake }]
  })
}

describe('the warehouse', () => {
  // No time zone of a server, a database or a user may move a moment.
  it.each(Object.entries(VALUES))(
    'I6 holds every value of %s as the source does',
    async (type, values) => {
      const stored = { mood: 'text', price: 'numeric(10,3)', days: 'date' }[type] ?? type
      system = await createSystem({ project: thingProject({ value: stored }), template: 'empty' })
      await system.sql.query(`create type mood as enum ('ok', 'it''s "so", so');
      create domain amount as numeric(10,3); create domain price as amount check (value > 0);
      create domain days as date;
      create table thing (id integer primary key, value ${type})`)
      await system.sql.query(
        `insert into thing select n, v::${type} from unnest($1::text[]) with ordinality as t (v, n)`,
        [values],
      )
      await system.sql.query(`do $$ begin
      execute format('alter database %I set timezone = ''Asia/Kolkata''', current_database());
    end $$`)
      await system.query(`do $$ begin
      execute format('alter database %I set timezone = ''America/St_Johns''', current_database());
    end $$`)
      await system.run()
      const text = `set timezone = 'UTC'; set extra_float_digits = 3`
      await system.sql.query(text)
      const { rows: source } = await system.sql.query(
        'select id, value::text from thing order by id',
      )
      await using warehouse = await openWarehouse(system.deps.warehouse)
      await warehouse.client.query(text)
      const { rows } = await warehouse.client.query(
        'select id, value::text from fact_thing_current order by id',
      )
      expect(rows).toEqual(source)
    },
  )
})

it('I6 every type the warehouse is loaded with arrives there exactly', async () => {
  const types = {
    d: 'date',
    ts: 'timestamp',
    tz: 'timestamptz',
    t: 'time',
    n: 'numeric(38,10)',
    b: 'bytea',
    dp: 'double precision',
    r: 'real',
    ok: 'boolean',
    u: 'uuid',
    i: 'bigint',
  }
  system = await createSystem({ project: thingProject(types), template: 'empty' })
  const columns = Object.entries(types).map(([name, type]) => `${name} ${type}`)
  await system.sql.query(`create table thing (id integer primary key, ${columns.join(', ')});
    insert into thing values
      (1, '0044-03-15 BC', '0044-03-15 12:00:00.5 BC', '0044-03-15 12:00:00+00 BC', '24:00:00',
       '-1234567890123456789012345678.0123456789', '\\x00ff5c', 5e-324, 1e-45, true,
       'ffffffff-ffff-ffff-ffff-ffffffffffff', '-9223372036854775808'),
      (2, 'infinity', '-infinity', 'infinity', '23:59:59.999', 0, '\\x', 'NaN', '-Infinity', false, null, null),
      (3, '0001-01-01', '10000-01-01 00:00:00.001', '2024-03-31 01:30:00+01', '00:00:00', 0.1, null,
       '-0', 0.1, null, null, 9007199254740993),
      (4, null, null, null, null, null, null, null, null, null, null, null)`)
  await system.run()
  const names = Object.keys(types)
    .map((name) => `${name}::text`)
    .join(', ')
  const source = await system.source.query(`select id, ${names} from thing order by id`)
  expect(await system.query(`select id, ${names} from fact_thing_current order by id`)).toEqual(
    source,
  )
})
