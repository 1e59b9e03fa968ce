import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { totesys } from '../src/totesys/totesys.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The rooms of `src/platform`, lowest floor first. A file imports from its own room and from below. */
const FLOORS: readonly (readonly string[])[] = [
  ['errors', 'log'],
  ['io'],
  ['project'],
  ['source'],
  ['lake'],
  ['warehouse'],
  ['presentation'],
  ['config', 'deps'],
  ['continuity'],
  ['extract', 'collect', 'transform', 'load'],
  ['pipeline'],
  ['inspect'],
]

/** What each world may import from the others. A path includes everything below it. */
const WORLDS: Readonly<Record<string, readonly string[]>> = {
  'src/platform/': [],
  'src/totesys/': ['src/platform/'],
  'src/apps/cli/': ['src/platform/', 'src/totesys/', 'src/apps/'],
  'src/apps/local/': ['src/platform/', 'src/totesys/', 'src/apps/'],
  // Functions do not know where they are deployed.
  'src/apps/aws/': ['src/platform/', 'src/totesys/', 'src/apps/'],
  'src/apps/reports/': ['src/platform/', 'src/totesys/', 'src/apps/'],
  'src/apps/server/': ['src/platform/', 'src/totesys/', 'src/apps/'],
  'src/apps/': ['src/platform/', 'src/totesys/'],
  // The templates take names and limits from the functions, never logic from the other apps.
  'src/infra/': ['src/platform/', 'src/totesys/', 'src/apps/aws/', 'src/apps/environment.ts'],
}

/** The only files that import a package from outside: one door for each outside world. */
const DOORS: readonly { readonly packages: RegExp; readonly open: readonly string[] }[] = [
  { packages: /^pg(-|$)/, open: ['src/platform/io/', 'src/apps/local/'] },
  { packages: /^@duckdb\//, open: ['src/platform/io/duckdb.ts'] },
  {
    packages: /^@aws-sdk\/client-s3$|^@smithy\//,
    open: [
      'src/platform/io/s3.ts',
      'src/platform/lake/store/s3-store.ts',
      'src/platform/source/s3-drop.ts',
    ],
  },
  { packages: /^@aws-sdk\/client-secrets-manager$/, open: ['src/apps/aws/secrets.ts'] },
  { packages: /^jiti$/, open: ['src/apps/project/read-config-file.ts'] },
  { packages: /^nodemailer$/, open: ['src/apps/reports/mailer.ts'] },
  { packages: /^@aws-lambda-powertools\//, open: ['src/apps/aws/logging.ts'] },
  { packages: /^(aws-cdk-lib|constructs|cdk-nag)(\/|$)/, open: ['src/infra/'] },
  // Where something comes in from outside: settings, projects, records, answers, events, parameters, notes.
  {
    packages: /^zod(\/|$)/,
    open: [
      'src/platform/config.ts',
      'src/platform/lake/commit-record.ts',
      'src/totesys/payments/',
      'src/totesys/source/rate-answers.ts',
      'src/apps/aws/stage.ts',
      'src/apps/project/',
      'src/apps/local/',
      'src/apps/reports/declaration.ts',
      'src/infra/parameters.ts',
    ],
  },
]

interface Import {
  readonly file: string
  /** A path from the root, or the name of a package. */
  readonly target: string
}

/** Every import in shipped code. */
function readImports(): Import[] {
  return filesOf('src').flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8')
    const found = text.matchAll(/\b(?:from|import)\s*\(?\s*'([^']+)'/g)
    return [...found].map(([, name = '']) => {
      const target = name.startsWith('.') ? normalize(join(dirname(file), name)) : name
      return { file, target }
    })
  })
}

/** The shipped TypeScript files of a folder, as paths from the root. */
function filesOf(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/\.(test|contract|d)\.ts$/.test(file))
    .map((file) => join(folder, file))
}

/** The floor of a path in `src/platform`; undefined for a room that is on none. */
function floorOf(path: string): number | undefined {
  const [room = ''] = path.slice('src/platform/'.length).split('/')
  const floor = FLOORS.findIndex((rooms) => rooms.includes(room.replace(/\.ts$/, '')))
  return floor < 0 ? undefined : floor
}

function roomOf(path: string): string {
  return path.split('/').slice(0, 3).join('/')
}

it('every entry of the platform is on one floor', () => {
  const entries = readdirSync(join(root, 'src/platform')).filter((name) => !name.includes('.test.'))
  const rooms = entries.map((name) => name.replace(/\.ts$/, ''))
  expect(rooms.toSorted()).toEqual(FLOORS.flat().toSorted())
  expect(rooms.length).toBeLessThanOrEqual(20)
})

it('the tree in ARCHITECTURE.md is the tree of the folders', () => {
  const drawn: string[] = []
  const folders = ['src/']
  const tree = /```\nsrc\/\n(.*?)```/s.exec(readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8'))
  for (const line of tree?.[1]?.split('\n').filter((each) => each !== '') ?? []) {
    const [, indent = '', name = ''] = /^([│├└─ ]*)(\S+)/.exec(line) ?? []
    const depth = indent.length / 4
    drawn.push(`${folders[depth - 1]}${name}`)
    folders[depth] = `${folders[depth - 1]}${name}`
  }
  const entries = ['src/', 'src/platform/', 'src/apps/'].flatMap((folder) =>
    readdirSync(join(root, folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() || folder === 'src/platform/')
      .filter(({ name }) => !name.includes('.test.'))
      .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`),
  )
  expect(drawn.toSorted()).toEqual(entries.toSorted())
})

it('no file of the platform imports from a room beside or above its own', () => {
  const up = readImports().filter(({ file, target }) => {
    if (!file.startsWith('src/platform/') || !target.startsWith('src/platform/')) return false
    if (roomOf(file) === roomOf(target)) return false
    const [from, to] = [floorOf(file), floorOf(target)]
    return from === undefined || to === undefined || to >= from
  })
  expect(up).toEqual([])
})

it('a world imports only from the worlds it may know', () => {
  const worlds = Object.keys(WORLDS)
  const wrong = readImports().filter(({ file, target }) => {
    if (!target.includes('/') || !existsSync(join(root, target))) return false
    const own = worlds.find((world) => file.startsWith(world)) ?? ''
    const allowed = [own, ...(WORLDS[own] ?? [])]
    return !allowed.some((path) => path !== '' && target.startsWith(path))
  })
  expect(wrong).toEqual([])
})

it('each package from outside is imported through its door alone', () => {
  const wrong = readImports().filter(({ file, target }) =>
    DOORS.some(
      ({ packages, open }) => packages.test(target) && !open.some((path) => file.startsWith(path)),
    ),
  )
  expect(wrong).toEqual([])
})

it('no Totesys table is named in the platform', () => {
  const names = [
    ...totesys.source.tables.map(({ name }) => name),
    ...totesys.models.map(({ table }) => table),
  ]
  // Words of the domain that are also plain English, only where they are quoted as names.
  const plain = new Set([
    'transaction',
    'design',
    'currency',
    'payment',
    'address',
    'staff',
    'department',
  ])
  const patterns = names.map((name) =>
    plain.has(name) ? new RegExp(`['"\`]${name}['"\`]`) : new RegExp(`\\b${name}\\b`),
  )
  const found: string[] = []
  const folder = 'src/platform'
  for (const file of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
    if (!/\.(ts|sql)$/.test(file) || /\.(test|contract)\.ts$/.test(file)) continue
    const text = readFileSync(join(root, folder, file), 'utf8')
    for (const pattern of patterns) if (pattern.test(text)) found.push(`${file}: ${pattern.source}`)
  }
  expect(found).toEqual([])
})

it('I3 nothing but the sweep removes an object from a zone', () => {
  const found = filesOf('src/platform').filter((file) =>
    /\b(?:store|ingestion|processed)\.remove\(/.test(readFileSync(join(root, file), 'utf8')),
  )
  expect(found).toEqual(['src/platform/inspect/sweep.ts'])
})
