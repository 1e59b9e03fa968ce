import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tidemark } from '../../../../test/support/command.ts'
import { createWorkplace, type Workplace } from '../../../../test/support/workplace.ts'

describe('tidemark up with a source and nothing else', () => {
  let place: Workplace
  beforeAll(async () => {
    place = await createWorkplace()
    await place.source.query(`
      create table customer (id integer primary key, name text);
      insert into customer select n, 'Customer ' || n from generate_series(1, 30) as n`)
  })
  afterAll(() => place[Symbol.asyncDispose]())
  const env = () => ({ TIDEMARK_SOURCE_URL: place.source.readerUrl, TIDEMARK_PORT: '0' })

  /** Runs a command that serves, asks it, and stops it. */
  const serving = async (argv: readonly string[], visit: (url: string) => Promise<void>) => {
    const stop = new AbortController()
    let visited: Promise<void> | undefined
    const result = await tidemark([...argv, '--json'], {
      env: env(),
      signal: stop.signal,
      onOut(text) {
        const [, url] = /"url":"([^"]+)"/.exec(text) ?? []
        if (url === undefined || visited !== undefined) return
        visited = visit(url).finally(() => stop.abort())
        // Awaited below.
        visited.catch(() => {})
      },
    })
    await visited
    expect(visited, result.out + result.err).toBeDefined()
    return result
  }

  it('is what serve needs first', async () => {
    const { code, err } = await tidemark(['serve'], { env: env() })
    expect([code, err]).toEqual([2, expect.stringContaining('NO_WAREHOUSE')])
    expect(err).toContain('let tidemark up make one here')
    expect(existsSync('.tidemark/warehouse')).toBe(false)
  })

  it('makes a warehouse in the home, loads it once, and says what is where', async () => {
    const { code, err } = await tidemark(['up', '--once'], { env: env() })
    expect([code, err]).toEqual([0, expect.stringMatching(/✓ Postgres \S+ started/)])
    expect(err).toMatch(/Kept {8}\S+\/\.tidemark {3}lake and warehouse/)
    expect(err).toMatch(/Holds {7}customer +30 rows, 30 versions/)
    expect(err).toContain('Try: tidemark history customer ')
    expect(existsSync('.tidemark/warehouse')).toBe(true)
  })

  it('lets every other command use that warehouse', async () => {
    const status = await tidemark(['status', '--json'], { env: env() })
    expect(status.events.at(-1)).toMatchObject({ isLakeOnly: false, exit: 0 })
    expect((await tidemark(['history', 'customer', '7'], { env: env() })).out).toContain(
      'Customer 7',
    )
    const verified = await tidemark(['verify'], { env: env() })
    expect([verified.code, verified.err]).toEqual([0, expect.any(String)])
    await serving(['serve'], async (url) => {
      expect(await (await fetch(url)).text()).toContain('href="/table/customer"')
    })
  })

  it('shows a table that appears while it runs', async () => {
    const { code } = await serving(['up', '--every', '200ms'], async (url) => {
      expect((await fetch(`${url}/table/later`)).status).toBe(404)
      await place.source.query(`create table later (id integer primary key, word text);
        insert into later values (1, 'soon')`)
      // The table is made before its rows are loaded.
      await expect
        .poll(async () => await (await fetch(`${url}/table/later`)).text())
        .toContain('soon')
      expect(await (await fetch(url)).text()).toContain('href="/table/later"')
      // Another process uses the warehouse that this one runs.
      expect((await tidemark(['status'], { env: env() })).code).toBe(0)
      const ask = await fetch(`${url}/ask?sql=select+word+from+later_current`)
      expect(await ask.text()).toContain('soon')
    })
    expect(code).toBe(130)
  })

  it('lists a few of many tables', async () => {
    const many = Array.from(
      { length: 20 },
      (_, n) => `create table t${n} (id integer primary key); insert into t${n} values (1)`,
    )
    await place.source.query(many.join(';'))
    const { err } = await tidemark(['up', '--once'], { env: env() })
    expect(err).toMatch(/and 11 more tables/)
  })
})
