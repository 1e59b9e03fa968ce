import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type CommandResult, tidemark } from '../../../../test/support/command.ts'
import { createDatabase, type TestDatabase } from '../../../../test/support/database.ts'
import { loadWritten } from '../../../../test/support/written-project.ts'
import { standardProject } from '../../../standard-project.ts'
import { parseConfig } from '../../../platform/config.ts'
import { createOutput } from '../output.ts'
import { initCommand, type InitInput } from './init.ts'

let test: TestDatabase
let folder: string
let place: string

beforeAll(async () => {
  test = await createDatabase({ template: 'empty' })
  await test.query(`
    create table customer (id integer primary key, name text, password text);
    create table product (id integer primary key, name text);
    create table sale (
      id integer primary key,
      customer_id integer references customer,
      product_id integer references product,
      amount numeric(10, 2)
    );
    create table note (words text);
    create table closed (id integer primary key);
    revoke all on closed from ${test.name}_reader`)
})
afterAll(() => test.drop())
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-init-'))
  place = join(folder, 'My Shop')
})
afterEach(() => rmSync(folder, { recursive: true }))

const init = async (...options: string[]): Promise<CommandResult> =>
  await tidemark(['init', place, '--source', test.readerUrl, ...options])

/** What the folder of the project holds, with nothing beside it. */
function written(): string[] {
  expect(readdirSync(folder)).toEqual(existsSync(place) ? ['My Shop'] : [])
  return existsSync(place)
    ? readdirSync(place, { recursive: true, encoding: 'utf8' }).toSorted()
    : []
}

const MIRROR = ['.env.example', '.gitignore', 'README.md', 'tidemark.config.ts']
const STAR = [
  ...MIRROR.slice(0, 3),
  'models',
  'models/dim_customer.sql',
  'models/dim_product.sql',
  'models/fact_sale.sql',
  'tidemark.config.ts',
]

describe('tidemark init', () => {
  it('says what it found and wrote, and what is next', async () => {
    const { code, out, err } = await init()
    expect([code, err]).toEqual([0, ''])
    expect(written()).toEqual(MIRROR)
    expect(out).toContain(`${test.name}   at 127.0.0.1:`)
    expect(out).toContain(
      '! 1 table without a key, so a row is its values, with a count: public.note',
    )
    expect(out).toContain('! 1 table that this user may not read: public.closed')
    expect(out).toContain('! 1 column that looks like secrets: public.customer.password')
    expect(out).toContain(
      `✓ Wrote tidemark.config.ts, .env.example, .gitignore, README.md to ${place}`,
    )
    expect(out).toContain('Next: cd ')
    expect(await loadWritten(place)).toMatchObject({
      name: 'my_shop',
      title: test.name,
      mirror: { exclude: ['public.customer.password'] },
      models: [],
    })
  })

  it('says with --json which files and tables the project has', async () => {
    const { events } = await init('--json', '--star')
    expect(events).toMatchObject([
      {
        event: 'project_written',
        exit: 0,
        folder: place,
        name: 'my_shop',
        tables: 4,
        withoutKey: ['public.note'],
        notReadable: ['public.closed'],
        excluded: ['public.customer.password'],
      },
    ])
    expect(new Set(events[0]?.['files'] as string[])).toEqual(
      new Set(STAR.filter((name) => name !== 'models')),
    )
    expect(written()).toEqual(STAR)
  })

  it('takes the choices of a person from its options', async () => {
    const options = ['--star', '--keep-secrets', '--write-env', '--name', 'corner', '--yes']
    expect(await init(...options)).toMatchObject({ code: 0, err: '' })
    expect(written()).toEqual(['.env', ...STAR])
    expect(readFileSync(join(place, '.env'), 'utf8')).toContain(test.readerUrl)
    const project = await loadWritten(place)
    expect(project.name).toBe('corner')
    expect(project.source.tables.every(({ exclude }) => exclude === undefined)).toBe(true)
    expect(project.source.tables[0]?.columns).toHaveProperty('password')
  })

  it('keeps only what patterns select', async () => {
    const select = ['--select', 'customer', '--select', 'product', '--exclude', '*.password,*.name']
    expect(await init(...select)).toMatchObject({ code: 0, err: '' })
    expect((await loadWritten(place)).mirror).toEqual({
      select: ['customer', 'product'],
      exclude: ['*.password', '*.name'],
    })
  })

  it('takes the database from the environment', async () => {
    const env = { TIDEMARK_SOURCE_URL: test.readerUrl, TIDEMARK_WITHOUT_KEY: 'leave' }
    expect(await tidemark(['init', place], { env })).toMatchObject({ code: 0, err: '' })
    expect((await loadWritten(place)).mirror).toMatchObject({ withoutKey: 'leave' })
  })
})

describe('tidemark init asks on a terminal', () => {
  /** Answers questions in their order, and returns them. */
  async function answer(answers: readonly string[], change: Partial<InitInput> = {}) {
    const input = Object.assign(new PassThrough(), { isTTY: true })
    const screen = Object.assign(new PassThrough(), { isTTY: true })
    const left = [...answers]
    const asked: string[] = []
    screen.on('data', (text: Buffer) => {
      const [, question] = /^ {2}(.*) \[(?:Y\/n|y\/N)\] $/.exec(text.toString()) ?? []
      if (question === undefined) return
      asked.push(question)
      const next = left.shift()
      if (next === undefined) input.end()
      else input.write(`${next}\n`)
    })
    const none = { write: () => {} }
    const output = createOutput({
      stdout: none,
      stderr: none,
      isJson: false,
      isQuiet: false,
      isColored: false,
      call: 'tidemark',
    })
    const given: InitInput = {
      folder: place,
      star: false,
      keepSecrets: false,
      writeEnv: false,
      name: undefined,
      yes: false,
      ...change,
    }
    const context = {
      output,
      given: standardProject,
      config: parseConfig({ TIDEMARK_SOURCE_URL: test.readerUrl }),
      signal: new AbortController().signal,
    }
    const code = initCommand(context, given, { input, output: screen })
    return { asked, code }
  }

  it('about secrets, a star schema and .env', async () => {
    const { asked, code } = await answer(['n', 'y', 'y'])
    expect(await code).toBe(0)
    expect(asked).toEqual([
      'Leave the 1 column out?',
      'Write a star schema (1 fact, 2 dimensions) instead of keeping every table as it is?',
      'Write the connection string, with its password, to .env for you alone?',
    ])
    expect(written()).toEqual(['.env', ...STAR])
    expect((await loadWritten(place)).source.tables[0]?.columns).toHaveProperty('password')
  })

  it('nothing that an option has answered', async () => {
    const { asked, code } = await answer([], { star: true, keepSecrets: true, writeEnv: true })
    expect(await code).toBe(0)
    expect(asked).toEqual([])
    rmSync(place, { recursive: true })
    const quiet = await answer([], { yes: true })
    expect(await quiet.code).toBe(0)
    expect(quiet.asked).toEqual([])
    expect(written()).toEqual(MIRROR)
  })

  it('and writes nothing if the person stops at a question', async () => {
    const { code } = await answer([''])
    await expect(code).rejects.toMatchObject({ name: 'InterruptedError' })
    expect(written()).toEqual([])
  })
})

describe('tidemark init writes nothing', () => {
  const refused = async (result: CommandResult, expected: RegExp, code = 2): Promise<void> => {
    expect(result.err).toMatch(expected)
    expect(result.err.trimEnd().split('\n').length).toBeLessThanOrEqual(3)
    expect(result.code).toBe(code)
    expect(result.out).toBe('')
  }
  const at = (change: (url: URL) => void): string => {
    const url = new URL(test.readerUrl)
    change(url)
    return url.href
  }
  const initFrom = async (url: string, ...options: string[]): Promise<CommandResult> =>
    await tidemark(['init', place, '--source', url, ...options])

  it('over a project', async () => {
    await init()
    const before = readFileSync(join(place, 'tidemark.config.ts'), 'utf8')
    await refused(
      await init('--star'),
      /^✕ There is a project in .* already: tidemark\.config\.ts {3}PROJECT_EXISTS\n/,
    )
    expect(written()).toEqual(MIRROR)
    expect(readFileSync(join(place, 'tidemark.config.ts'), 'utf8')).toBe(before)
  })

  it('over files that are in the way', async () => {
    place = folder
    writeFileSync(join(folder, 'README.md'), 'mine')
    await refused(await init(), /in the way in .*: README\.md {3}FOLDER_NOT_FREE/)
    expect(readdirSync(folder)).toEqual(['README.md'])
  })

  it('over .env, which it leaves alone unless it shall write it', async () => {
    place = folder
    writeFileSync(join(folder, '.env'), '# mine')
    await refused(await init('--write-env'), /in the way in .*: \.env {3}FOLDER_NOT_FREE/)
    expect(readdirSync(folder)).toEqual(['.env'])
    const { code, out } = await init()
    expect([code, out]).toEqual([0, expect.not.stringContaining('cp .env.example')])
    expect(readFileSync(join(folder, '.env'), 'utf8')).toBe('# mine')
  })

  it.each([
    ['is none', 'shop', /is not a URL {3}SOURCE_URL\n.*set --source=/],
    [
      'is another kind',
      'mysql://a@b/c',
      /must begin with postgresql:.* {3}SOURCE_URL\n.*set --source=/,
    ],
  ])('if the connection string %s', async (_, url, expected) => {
    await refused(await initFrom(url), expected)
    expect(written()).toEqual([])
  })

  it('if no database is named', async () => {
    await refused(
      await tidemark(['init', place]),
      /CONFIG_INCOMPLETE\n {2}Next: tidemark init --source/,
    )
    expect(written()).toEqual([])
  })

  it('if the password or the database is wrong', async () => {
    const password = at((url) => (url.password = 'wrong'))
    await refused(
      await initFrom(password),
      /refused the user or password.* {3}SOURCE_PASSWORD\n.*check --source/,
    )
    const database = at((url) => (url.pathname = '/nowhere'))
    await refused(
      await initFrom(database),
      /has no database called nowhere.* {3}SOURCE_DATABASE\n.*check --source/,
    )
    expect(written()).toEqual([])
  })

  it('if the host is unknown or does not answer', async () => {
    const host = at((url) => (url.hostname = 'nowhere.invalid'))
    await refused(
      await initFrom(host),
      /Cannot reach .*nowhere\.invalid.* {3}SOURCE_UNREACHABLE\n.*host/,
      1,
    )
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    await new Promise((resolve) => server.close(resolve))
    const closed = at((url) => (url.port = String(port)))
    await refused(await initFrom(closed), /Cannot reach .* {3}SOURCE_UNREACHABLE/, 1)
    expect(written()).toEqual([])
  })

  it('if a pattern or the name of the project is wrong', async () => {
    await refused(
      await init('--select', 'sales'),
      /matches no table.* {3}PATTERN_MATCHES_NOTHING\n.*did you mean sale\?/,
    )
    await refused(await init('--exclude', '*.id'), /PATTERN_EXCLUDES_KEY/)
    await refused(await init('--name', 'My Shop'), /The name My Shop is not valid {3}USAGE/)
    expect(written()).toEqual([])
  })

  it('if there is nothing to keep, or nothing to make facts from', async () => {
    await using own = await createDatabase({ template: 'empty' })
    await refused(await initFrom(own.readerUrl), /The database has no table {3}NO_TABLES/)
    await own.query(
      `create table a (id integer primary key); revoke all on a from ${own.name}_reader`,
    )
    await refused(
      await initFrom(own.readerUrl),
      /may not read the only table of the database {3}NO_TABLES\n.*grant select on all tables in schema public/,
    )
    await own.query(`grant select on a to ${own.name}_reader`)
    const star = await initFrom(own.readerUrl, '--star')
    expect([star.code, star.err]).toEqual([2, expect.stringContaining('NO_FACTS')])
    expect(written()).toEqual([])
  })

  it('if there are more tables than a mirror keeps', async () => {
    await using own = await createDatabase({ template: 'empty' })
    await own.query(`
      do $$ begin
        for n in 1 .. 1001 loop execute format('create table t%s (id integer)', n); end loop;
      end $$;
      grant select on all tables in schema public to ${own.name}_reader`)
    await refused(
      await initFrom(own.readerUrl),
      /has 1001 tables to mirror.* {3}TOO_MANY_TABLES\n.*--select/,
    )
    expect(written()).toEqual([])
    expect(await initFrom(own.readerUrl, '--exclude', 't1')).toMatchObject({ code: 0, err: '' })
  })
})
