import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { namesOfTotesys } from './support/totesys-names.ts'

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
  ['rebuild'],
  ['repair'],
]

/** What each world may import from the others. A path includes everything below it. */
const WORLDS: Readonly<Record<string, readonly string[]>> = {
  'src/platform/': [],
  // A project, with what it adds in code to the apps.
  'src/totesys/': ['src/platform/', 'src/apps/'],
  'src/standard-project.ts': ['src/totesys/', 'src/apps/project-extension.ts'],
  // Only four files take the project from there: see below. Functions do not know where they are
  // deployed.
  'src/apps/': ['src/platform/', 'src/standard-project.ts'],
  // The templates take names and limits from the functions, never logic from the other apps.
  'src/infra/': [
    'src/platform/',
    'src/apps/aws/',
    'src/apps/alerts/says.ts',
    'src/apps/project-extension.ts',
    'src/standard-project.ts',
  ],
}

/** The only files that import a package from outside: one door for each outside world. */
const DOORS: readonly { readonly packages: RegExp; readonly open: readonly string[] }[] = [
  { packages: /^pg(-|$)/, open: ['src/platform/io/', 'src/apps/local/', 'src/totesys/living/'] },
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
  { packages: /^nodemailer$/, open: ['src/apps/mail/mailer.ts'] },
  { packages: /^@aws-lambda-powertools\//, open: ['src/apps/aws/logging.ts'] },
  { packages: /^(aws-cdk-lib|constructs|cdk-nag)(\/|$)/, open: ['src/infra/'] },
  // Where something comes in from outside: settings, projects, records, answers, events, parameters, notes.
  {
    packages: /^zod(\/|$)/,
    open: [
      'src/platform/config.ts',
      'src/platform/lake/commit-record.ts',
      'src/totesys/payments/',
      'src/totesys/settings.ts',
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

/** Files that present Totesys: pictures of the example, for the docs. */
const PRESENTING = ['scripts/screenshots.js']

it('nothing of Totesys is named outside its folder', () => {
  const patterns = namesOfTotesys()
  expect(patterns.length).toBeGreaterThan(50)
  const files = ['bin', 'scripts', 'src/apps', 'src/infra', 'src/platform'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(ts|js|sql|css|html|sh)$/.test(file))
      .filter((file) => !/\.(test|contract)\.ts$/.test(file))
      .map((file) => join(folder, file)),
  )
  expect(files.length).toBeGreaterThan(400)
  const found = files.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8')
    return patterns
      .filter((pattern) => pattern.test(text) || pattern.test(file))
      .map((pattern) => `${file}: ${pattern.source}`)
  })
  const others = found.filter((each) => !PRESENTING.some((file) => each.startsWith(`${file}:`)))
  expect(others).toEqual([])
  for (const file of PRESENTING) expect(found.some((each) => each.startsWith(file))).toBe(true)
})

it('the apps and the deployment get their project from one file, each in one place', () => {
  const standard = 'src/standard-project.ts'
  const from = readImports().filter(({ target }) => target === standard)
  expect(from.map(({ file }) => file).toSorted()).toEqual([
    'src/apps/aws/environment.ts',
    'src/apps/cli/tidemark.ts',
    'src/apps/package/package.ts',
    'src/infra/deployed.ts',
  ])
})

it('I3 nothing but the sweep removes an object from a zone', () => {
  const found = filesOf('src/platform').filter((file) =>
    /\b(?:store|ingestion|processed)\.remove\(/.test(readFileSync(join(root, file), 'utf8')),
  )
  expect(found).toEqual(['src/platform/inspect/sweep.ts'])
})
