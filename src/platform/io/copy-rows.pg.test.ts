import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { CopyRows } from './copy-rows.ts'
import { connect, type PostgresClient } from './postgres.ts'

let test: TestDatabase
let connection: PostgresClient

beforeAll(async () => {
  test = await createDatabase({ template: 'empty' })
  connection = await connect({ title: 'the source', code: 'SOURCE', url: test.url, attempts: 1 })
})

afterAll(async () => {
  await connection[Symbol.asyncDispose]()
  await test.drop()
})

/** Copies the rows of a select. */
async function copy(select: string, lead = '\t'): Promise<{ text: Buffer; sent: unknown }> {
  const rows = connection.client.query(new CopyRows(`copy (${select}) to stdout`, { lead }))
  const text = await buffer(rows)
  return { text, sent: rows.sent }
}

describe('CopyRows', () => {
  it('puts its lead before each row, and says how many rows the server sent', async () => {
    expect(await copy("select * from (values (1, null), (2, E'a\\nb\\\\')) as t")).toEqual({
      text: Buffer.from('\t1\t\\N\n\t2\ta\\nb\\\\\n'),
      sent: 2,
    })
    expect(await copy('select 1 where false')).toEqual({ text: Buffer.from(''), sent: 0 })
    expect((await copy(`select ''`)).text.toString()).toBe('\t\n')
    expect((await copy(`select ''`, '')).text.toString()).toBe('\n')
  })

  it('I6 brings every byte of rows of any size, wherever the messages are cut', async () => {
    const sizes = [0, 1, 5, 65_530, 524_287, 524_288, 524_289, 3_000_000]
    const select = `select i, repeat(chr(97 + i % 26), size)
      from unnest('{${sizes.join()}}'::int[]) as size, generate_series(0, 8) as i`
    const { text, sent } = await copy(select)
    expect(sent).toBe(sizes.length * 9)
    const wanted = sizes.flatMap((size) =>
      Array.from(
        { length: 9 },
        (_, i) => `\t${i}\t${String.fromCharCode(97 + (i % 26)).repeat(size)}\n`,
      ),
    )
    expect(text.equals(Buffer.from(wanted.join('')))).toBe(true)
  })

  it('waits for a slow reader, and leaves the connection ready for the next statement', async () => {
    const rows = connection.client.query(
      new CopyRows(`copy (select repeat('x', 1000) from generate_series(1, 20000)) to stdout`),
    )
    let bytes = 0
    let highest = 0
    for await (const piece of rows) {
      highest = Math.max(highest, rows.readableLength)
      await new Promise(setImmediate)
      bytes += (piece as Buffer).length
    }
    expect(bytes).toBe(20_000 * 1001)
    expect(highest).toBeLessThan(4 << 20)
    expect((await connection.client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  it.each([
    ['before its first row', 'select nothing from nowhere'],
    ['after some rows', 'select 1 / (50000 - i) from generate_series(1, 60000) as i'],
  ])('fails with the error of the server %s, and the connection goes on', async (_, select) => {
    await expect(copy(select)).rejects.toMatchObject({
      code: expect.stringMatching(/^42P01|22012/),
    })
    expect((await connection.client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  it('skips what the server says between two rows', async () => {
    await connection.client.query(`create function pg_temp.say(i int) returns int language plpgsql
      as $$ begin raise notice 'now %', i; return i; end $$`)
    expect((await copy('select pg_temp.say(i) from generate_series(1, 3) as i')).text).toEqual(
      Buffer.from('\t1\n\t2\n\t3\n'),
    )
  })

  it('fails if the connection is lost', async () => {
    await using other = await connect({ title: 'it', code: 'SOURCE', url: test.url, attempts: 1 })
    const found = await other.client.query<{ pid: number }>('select pg_backend_pid() as pid')
    const rows = other.client.query(
      new CopyRows(`copy (select repeat('x', 9999) from generate_series(1, 99999)) to stdout`),
    )
    const outcome = buffer(rows).then(
      () => 'ended',
      (error: Error) => error.message,
    )
    await once(rows, 'data')
    await test.query('select pg_terminate_backend($1)', [found.rows[0]?.pid])
    expect(await outcome).toMatch(/terminat/)
  })

  it('I6 reads messages that come byte by byte', async () => {
    const message = (kind: string, content: string | Buffer) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(Buffer.byteLength(content) + 4)
      return Buffer.concat([Buffer.from(kind), length, Buffer.from(content)])
    }
    const ready = message('Z', 'I')
    const answer = Buffer.concat([
      message('H', Buffer.from([0, 0, 1, 0, 0])),
      message('d', 'one\n'),
      message('N', 'SNOTICE\0\0'),
      message('d', ''),
      message('d', `${'two'.repeat(100)}\n`),
      message('c', ''),
      message('C', 'COPY 3\0'),
      ready,
    ])
    const serve = async (socket: Socket) => {
      await once(socket, 'data')
      socket.write(Buffer.concat([message('R', Buffer.alloc(4)), ready]))
      await once(socket, 'data')
      for (const byte of answer) {
        socket.write(Buffer.from([byte]))
        await new Promise(setImmediate)
      }
    }
    const server = createServer((socket) => void serve(socket.setNoDelay())).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'someone', database: 'some' })
    client.on('error', () => {})
    await client.connect()
    const rows = client.query(new CopyRows('copy t to stdout', { lead: '>' }))
    expect((await buffer(rows)).toString()).toBe(`>one\n>>${'two'.repeat(100)}\n`)
    expect(rows.sent).toBe(3)
    client.connection.stream.destroy()
    server.close()
  })
})
