import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Diff } from '../../src/platform/inspect/diff.ts'
import { tidemark } from '../support/command.ts'
import { parseCsv } from '../support/parse-csv.ts'
import { createWorkplace, type Workplace } from '../support/workplace.ts'

const HOSTILE = 'say "hi", José\r\nthen 😀\u001B[2J'

const SCHEMA = `
  create table member (
    name text primary key, note text, born timestamp, tags text[], raw bytea, score real
  );
  insert into member values ($1, '', '2001-02-03 04:05:06.789', '{a,"b c"}', '\\x00ff', 0.1), ('Bob', null, null, null, null, null);
  create table seat (hall int, place text, guest text, primary key (hall, place));
  insert into seat values (1, 'A', 'Ann'), (1, 'B,"x"', 'Bob');
  create table visit (line text);
  insert into visit values ('a'), ('a')`

interface ToldVersion {
  readonly validFrom: string
  readonly validTo?: string
  readonly values: Readonly<Record<string, string>>
}

describe.each(['warehouse', 'lake'] as const)('history of a mirror, read from the %s', (place) => {
  let workplace: Workplace
  const command = (...argv: string[]) =>
    tidemark(argv, {
      env: {
        TIDEMARK_SOURCE_URL: workplace.source.readerUrl,
        ...(place === 'warehouse' ? { TIDEMARK_WAREHOUSE_URL: workplace.warehouse.url } : {}),
      },
    })
  const versionsOf = async (...argv: string[]): Promise<ToldVersion[]> => {
    const { events } = await command('history', ...argv, '--json')
    return events.find(({ event }) => event === 'history')?.['versions'] as ToldVersion[]
  }
  let moments: string[]

  beforeAll(async () => {
    workplace = await createWorkplace()
    const sql = await workplace.source.client()
    const run = async (...statements: string[]) => {
      for (const text of statements) await sql.query(text)
      expect((await command('run')).code).toBe(0)
    }
    await run(...SCHEMA.replace('$1', sql.escapeLiteral(HOSTILE)).split(';'))
    await run(`update member set note = 'x,y', score = 0.25 where name <> 'Bob'`)
    await run('delete from member', `update seat set guest = null where place <> 'A'`)
    await run(`insert into member values (${sql.escapeLiteral(HOSTILE)}, 'back')`)
    moments = (await versionsOf('member', HOSTILE)).map(({ validFrom }) => validFrom)
  })
  afterAll(() => workplace[Symbol.asyncDispose]())

  it('--as-of shows the versions up to a moment, and whether the row existed then', async () => {
    expect(moments).toHaveLength(4)
    const before = (moment = '') => {
      const micros =
        BigInt(Date.parse(`${moment.slice(0, 19)}Z`)) * 1000n + BigInt(moment.slice(20, 26)) - 1n
      const text = new Date(Number(micros / 1000n)).toISOString().slice(0, 19)
      return `${text}.${String(micros % 1_000_000n).padStart(6, '0')}Z`
    }
    const told = async (moment = '') => {
      const line = ['history', 'member', HOSTILE, '--as-of', moment, '--json']
      const { events, code } = await command(...line)
      const { versions, existed, asOf } = events.at(-1) as unknown as Record<string, unknown>
      expect([asOf, code]).toEqual([moment, 0])
      return [(versions as unknown[]).length, existed]
    }
    expect(await told(before(moments[0]))).toEqual([0, false])
    expect(await told(moments[0])).toEqual([1, true])
    expect(await told(before(moments[1]))).toEqual([1, true])
    expect(await told(moments[1])).toEqual([2, true])
    expect(await told(moments[2])).toEqual([3, false])
    expect(await told(moments[3])).toEqual([4, true])
    const say = async (moment = '') =>
      (await command('history', 'seat', '1,A', '--as-of', moment)).out
    expect(await say(moments[1])).toMatch(/Seat 1,A {3}as of .* UTC it existed/)
    expect(await say('2000-01-01')).toMatch(
      /as of 2000-01-01 23:59:59.999999 UTC it did not exist yet; its first version is of 2/,
    )
    const gone = await command('history', 'member', 'Bob', '--as-of', '2100-01-01T00:00+02:00')
    expect(gone.out).toContain('as of 2099-12-31 22:00:00.000000 UTC it did not exist any more')
    const never = await command('history', 'member', 'Nobody', '--as-of', '2100-01-01')
    expect([never.code, never.out]).toEqual([2, ''])
  })

  it('--csv writes every column of each version exactly, and nothing else', async () => {
    const { out, code } = await command('history', 'member', HOSTILE, '--csv')
    expect(code).toBe(0)
    const [header, ...records] = parseCsv(out)
    expect(header?.join()).toBe(
      'record_id,name,note,born,tags,raw,score,record_operation,batch_id,version,valid_from,valid_to',
    )
    const first = [HOSTILE, '', '2001-02-03 04:05:06.789', '{a,"b c"}', '\\x00ff', '0.1']
    const second = [HOSTILE, 'x,y', ...first.slice(2, 5), '0.25']
    expect(records.map((record) => record.slice(1, 10))).toEqual([
      [...first, 'insert', '1', '1'],
      [...second, 'update', '2', '2'],
      [...second, 'delete', '3', '3'],
      [HOSTILE, 'back', undefined, undefined, undefined, undefined, 'insert', '4', '4'],
    ])
    expect(records.map((record) => record[10])).toEqual(moments)
    expect(records.map((record) => record[11])).toEqual([...moments.slice(1), undefined])
    const early = await command('history', 'member', HOSTILE, '--csv', '--as-of', '2000-01-01')
    expect(parseCsv(early.out)).toEqual([header])
    const then = await command('history', 'member', HOSTILE, '--csv', '--as-of', moments[1] ?? '')
    expect(parseCsv(then.out)).toEqual([header, ...records.slice(0, 2)])
    const never = await command('history', 'member', 'Nobody', '--csv')
    expect([never.code, never.out]).toEqual([2, ''])
  })

  it('--full shows every column of each version on its own line', async () => {
    const { out } = await command('history', 'member', HOSTILE, '--full')
    const lines = out.split('\n').filter((line) => line.startsWith('    '))
    expect(lines.slice(6, 12)).toEqual([
      '      name   say "hi", José\\r\\nthen 😀\\u{1b}[2J',
      '    ~ note   x,y',
      '      born   2001-02-03 04:05:06.789',
      '      tags   {a,"b c"}',
      '      raw    \\x00ff',
      '    ~ score  0.25',
    ])
    expect(lines).toHaveLength(24)
    expect(out).toMatch(/v3 .* deleted {3}\(last values\)\n {6}name /)
    expect(lines.at(-1)).toBe('    ~ score  ∅')
  })

  it('finds composite keys, keys with commas and quotes, and rows by content', async () => {
    const seat = await versionsOf('seat', '1,"B,""x"""')
    expect(seat.map(({ values }) => values['guest'])).toEqual(['Bob', undefined])
    expect((await command('history', 'seat', '1')).err).toContain(
      'The key of seat is (hall, place)',
    )
    const { events } = await command('diff', '0', '1', 'visit', '--json')
    const { tables } = events.at(-1) as unknown as Diff
    const hash = tables[0]?.keys[0]?.key['row_hash'] ?? 'none'
    const [version] = await versionsOf('visit', hash)
    expect(version?.values).toMatchObject({ line: 'a', row_count: '2' })
  })

  it('refuses a moment that is none, and two forms at once', async () => {
    const wrong = await command('history', 'member', 'Bob', '--as-of', 'yesterday')
    expect(wrong.code).toBe(2)
    expect(wrong.err).toContain('such as 2026-11-01 or 2026-11-01T12:00:00+01:00')
    expect(wrong.err).toContain('Without a zone it is UTC')
    const both = await command('history', 'member', 'Bob', '--csv', '--json')
    expect([both.code, both.events.at(-1)?.['code']]).toEqual([2, 'USAGE'])
  })
})
