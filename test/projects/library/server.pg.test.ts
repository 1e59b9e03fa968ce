import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandsFor } from '../../../src/apps/cli/commands.ts'
import { isGroup } from '../../../src/apps/cli/command.ts'
import type { GivenProject } from '../../../src/apps/project-extension.ts'
import { parseDeclarations } from '../../../src/apps/reports/declaration.ts'
import { readAccess, readGatewayAccess } from '../../../src/apps/server/access.ts'
import { createApp } from '../../../src/apps/server/app.ts'
import { groupsFor, groupsOf } from '../../../src/apps/server/groups.ts'
import { presentProject } from '../../../src/apps/server/open-server.ts'
import type { ApiDescription } from '../../../src/apps/server/openapi.ts'
import { parseConfig } from '../../../src/platform/config.ts'
import { createReader, type Reader } from '../../../src/platform/presentation/reader.ts'
import { tidemark } from '../../support/command.ts'
import { createTestReader, type TestReader } from '../../support/reader.ts'
import type { TestSystem } from '../../support/system.ts'
import { namesOfTotesys } from '../../support/totesys-names.ts'
import { createLibrary, runHistory } from './library-system.ts'
import { library } from './project.ts'

const given: GivenProject = {
  folders: [],
  upOptions: {},
  settings: async () => undefined,
  load: async () => ({ project: library, extension: {} }),
}

const keyOf = (isbn: string): string =>
  new URLSearchParams({
    'key.isbn': isbn,
    'key.copy_number': '1',
    'key.lent_at': '2024-02-29 23:59:59.999999+00',
  }).toString()
const PAGES = [
  '/',
  '/lineage',
  '/lineage?table=fact_loan',
  '/table/fact_loan',
  '/table/dim_member',
  '/table/dim_member/row?key.member_id=1',
  '/table/dim_member/row?key.member_id=no',
  '/table/dim_member/row?key.member_id=4242',
  `/table/fact_loan/row?${keyOf('978-0')}`,
  `/table/fact_loan/row?${keyOf('no')}`,
  '/ask',
  '/my',
  '/pipeline',
  '/run/1',
  '/quarantine',
  '/catalogue',
  '/catalogue/loan',
  '/docs',
  '/nothing',
]

/** The names of Totesys that occur in a text. */
const foreign = (text: string): string[] =>
  namesOfTotesys().flatMap((name) => name.exec(text)?.[0] ?? [])

describe('a project without an extension', () => {
  let system: TestSystem
  let role: TestReader
  let reader: Reader
  beforeAll(async () => {
    system = await createLibrary()
    await runHistory(system)
    role = await createTestReader(system)
    reader = createReader(role.warehouse)
  })
  afterAll(async () => {
    await reader[Symbol.asyncDispose]()
    await role[Symbol.asyncDispose]()
    await system[Symbol.asyncDispose]()
  })

  const options = () =>
    presentProject({
      config: parseConfig({}),
      deps: system.deps,
      extension: undefined,
      reader,
      saved: undefined,
      log: system.log,
    })
  const ask = async (path: string, accept = 'text/html'): Promise<Response> => {
    const response = await createApp({ ...options(), access: readAccess(parseConfig({})) }).request(
      path,
      { headers: { accept } },
      { incoming: { socket: { remoteAddress: '127.0.0.1' } } },
    )
    // A key in another spelling leads to the address of its fact.
    const to = response.headers.get('location')
    return to === null ? response : await ask(to, accept)
  }

  it.each(PAGES)('has no word of Totesys on %s', async (path) => {
    const response = await ask(path)
    const text = await response.text()
    expect(response.status).toBe(/isbn=no|_id=(no|4242)|nothing/.test(path) ? 404 : 200)
    expect(text).toContain('<h1>')
    expect(foreign(text)).toEqual([])
    expect(text).not.toContain('"/order')
  })

  it('has no page of another project, and asks for its own rows', async () => {
    expect((await ask('/order')).status).toBe(404)
    expect((await ask('/order/loan/1')).status).toBe(404)
    expect(await (await ask('/docs')).text()).toContain('>Overview</a>')
    expect(await (await ask('/ask')).text()).toContain('from &quot;fact_loan_current&quot;')
  })

  it('describes its own API, and no other', async () => {
    const response = await ask('/openapi.json', 'application/json')
    const text = await response.text()
    expect(foreign(text)).toEqual([])
    const api = JSON.parse(text) as ApiDescription
    expect(api.info.title).toBe('Tidemark: the library')
    expect(text).toContain('everything committed in the library up to then')
    expect(Object.keys(api.paths)).toEqual(['/events', '/health', '/openapi.json'])
    expect(Object.keys(api.components.schemas)).toEqual(['Problem', 'Health', 'Description'])
    const tags = new Set(api.tags.map(({ name }) => name))
    const operations = Object.values(api.paths).map(({ get }) => get)
    expect(operations.flatMap((each) => each.tags).filter((tag) => !tags.has(tag))).toEqual([])
    const names = [...text.matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name = '']) => name)
    expect(names.length).toBeGreaterThan(3)
    expect(names.filter((name) => !(name in api.components.schemas))).toEqual([])
    for (const path of Object.keys(api.paths)) {
      const answer = await ask(path, '*/*')
      expect(answer.status, path).toBe(200)
      await answer.body?.cancel()
    }
  })

  it('has no payments API', async () => {
    for (const path of ['/payments', '/payments/next5', '/payments/1', '/list/payment']) {
      expect((await ask(path, 'application/json')).status, path).toBe(404)
    }
  })

  it('demands no other group than analyst', async () => {
    expect(groupsOf(library)).toEqual(['analyst'])
    expect(groupsFor('/payments/next5', library)).toEqual(['analyst'])
    const app = createApp({ ...options(), access: readGatewayAccess(parseConfig({})) })
    const statusFor = async (groups: string, path: string): Promise<number> => {
      const claims = { sub: 'ada', exp: String(Math.floor(Date.now() / 1000) + 300), groups }
      const env = { requestContext: { authorizer: { jwt: { claims } } } }
      return (await app.request(path, {}, env)).status
    }
    for (const path of ['/ask', '/', '/table/fact_loan', '/catalogue', '/openapi.json']) {
      expect(await statusFor('[analyst]', path), path).toBe(200)
      expect(await statusFor('[finance]', path), path).toBe(403)
    }
    const report = { name: 'a', question: 'q', to: ['a@example.org'], access: 'finance' }
    const text = JSON.stringify({ thresholds: [report] })
    const { broken } = parseDeclarations(text, { location: 'file', groups: groupsOf(library) })
    expect(broken[0]?.faults).toContain('access: must be "analyst"')
  })
})

describe('the command line with a project without an extension', () => {
  const names = commandsFor(given).flatMap((entry) =>
    isGroup(entry) ? entry.commands.map(({ name }) => `${entry.name} ${name}`) : [entry.name],
  )

  it.each(['', ...names])('has no word of Totesys in the help of tidemark %s', async (name) => {
    const words = name.split(' ').filter((word) => word !== '')
    const { code, out } = await tidemark([...words, '--help'], { given })
    expect([code, out.length > 100]).toEqual([0, true])
    expect(foreign(out)).toEqual([])
    expect(out).not.toMatch(/--(orders|seed|clock|speed)\b/)
  })

  it('completes its own tables', async () => {
    const { out } = await tidemark(['completion', 'bash'], { given })
    expect(out).toContain('former_member')
    expect(foreign(out)).toEqual([])
  })

  it('says that it has no source of its own, before it starts anything', async () => {
    const { code, err } = await tidemark(['run'], { given })
    expect(code).toBe(2)
    expect(err).toContain('the library needs a database to read')
    expect(err).toContain('TIDEMARK_SOURCE_URL')
  })

  it('refuses the settings of another project', async () => {
    const { code, err } = await tidemark(['status'], { given, env: { TIDEMARK_TOTESYS_SEED: '1' } })
    expect([
      code,
      err.includes('TIDEMARK_TOTESYS_SEED (the environment) is not a setting'),
    ]).toEqual([2, true])
  })
})
