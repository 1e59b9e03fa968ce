import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

interface SourceFile {
  /** Path from the root. */
  readonly file: string
  readonly text: string
}

/** Files below a folder whose names match, as paths from the root. */
function readFiles(folder: string, name: RegExp): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => name.test(file))
    .map((file) => ({
      file: join(folder, file),
      text: readFileSync(join(root, folder, file), 'utf8'),
    }))
}

const code = readFiles('src', /(?<!\.(test|contract|d))\.ts$/)

it('every exported function says in a docblock what it guarantees', () => {
  const undocumented = code.flatMap(({ file, text }) => {
    const lines = text.split('\n')
    return lines.flatMap((line, index) => {
      const name = /^export (?:async )?function\*? (\w+)/.exec(line)?.[1]
      return name !== undefined && lines[index - 1]?.endsWith('*/') !== true
        ? [`${file}: ${name}`]
        : []
    })
  })
  expect(undocumented).toEqual([])
})

it('a sixth of the platform is comments', () => {
  const platform = code.filter(({ file }) => file.startsWith('src/platform/'))
  const lines = platform
    .flatMap(({ text }) => text.split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const comments = lines.filter((line) => /^(\/\/|\/\*|\*)/.test(line))
  expect(comments.length / lines.length).toBeGreaterThan(0.15)
})

/** Each Lambda function's module exports its handler under the name that Lambda looks for. */
const SHARED = new Set(['handler'])

it('an exported name has one meaning: it is exported from one file', () => {
  const files = new Map<string, string[]>()
  for (const { file, text } of code) {
    for (const [, name = ''] of text.matchAll(
      /^export (?:async )?(?:function\*?|const|interface|type|class) (\w+)/gm,
    )) {
      if (!SHARED.has(name)) files.set(name, [...(files.get(name) ?? []), file])
    }
  }
  const several = [...files].filter(([, where]) => where.length > 1)
  expect(Object.fromEntries(several)).toEqual({})
})

it('SQL that never changes is in a .sql file, not in a string', () => {
  const platform = code.filter(({ file }) => file.startsWith('src/platform/'))
  const texts = platform.flatMap(({ file, text }) =>
    [
      ...text.matchAll(
        /`\s*((?:select|with (?:recursive )?\w+ (?:\([^)]*\) )?as|insert into|update|delete from)\b[^`]*)`/g,
      ),
    ]
      .map(([, sql = '']) => sql.trimEnd())
      .filter((sql) => !sql.includes('${') && sql.split('\n').length > 3)
      .map((sql) => `${file}: ${sql.split('\n')[0]}`),
  )
  expect(texts).toEqual([])
})

it('scripts import from the build only what it exports', () => {
  const missing = readFiles('scripts', /\.js$/).flatMap(({ file, text }) =>
    [...text.matchAll(/import \{([^}]+)\} from '\.\.\/dist\/([^']+)\.js'/g)].flatMap(
      ([, names = '', path = '']) => {
        const built = code.find((each) => each.file === `src/${path}.ts`)?.text ?? ''
        return names
          .split(',')
          .map((name) => name.trim())
          .filter((name) => !new RegExp(`^export .*\\b${name}\\b`, 'm').test(built))
          .map((name) => `${file}: ${name} from ${path}`)
      },
    ),
  )
  expect(missing).toEqual([])
})

/** Names that others rely on: reasons, error codes, events, and fields of records. */
const STABLE = /too_many_rejected|TOO_MANY_REJECTED|shape_changed|shapeSince|`withheld`|`standing`/g

/** The words that the glossary retires. */
function retiredWords(): string[] {
  const glossary = readFileSync(join(root, 'docs/glossary.md'), 'utf8')
  const table = glossary.slice(glossary.indexOf('| not | but |'))
  return [...table.matchAll(/^\| ([^|]+) \| [^|]+ \|$/gm)]
    .slice(1)
    .flatMap(([, words = '']) => words.split(',').map((word) => word.trim()))
    .filter((word) => word !== '---' && word !== '')
}

it('retired words occur nowhere in comments, messages and docs', () => {
  const words = retiredWords()
  expect(words.length).toBeGreaterThan(10)
  const pattern = new RegExp(`\\b(${words.join('|')})s?\\b`, 'i')
  const docs = [
    ...readFiles('.', /^(README|ARCHITECTURE|CONTRIBUTING|AGENTS)\.md$/),
    ...readFiles('docs', /^(?!decisions\/|glossary).*\.md$/),
  ]
  // The text of a model names its generation, and that of a migration is checked.
  const sql = readFiles('src', /\.sql$/).filter(
    ({ file }) => !/\/(models|migrations)\/|^src\/totesys\/warehouse\//.test(file),
  )
  const found = [...docs, ...code, ...sql].flatMap(({ file, text }) =>
    text.split('\n').flatMap((line, index) => {
      const prose = file.endsWith('.ts') ? proseOf(line) : line
      const word = pattern.exec(prose.replace(STABLE, ''))?.[0]
      return word === undefined ? [] : [`${file}:${index + 1} ${word}`]
    }),
  )
  expect(found).toEqual([])
})

/** The parts of a line of code that people read: its comment, and texts with spaces in them. */
function proseOf(line: string): string {
  const comment = /^\s*(?:\/\/|\/?\*)(.*)|\s\/\/ (.*)$/.exec(line)
  const texts = [...line.matchAll(/'([^']*)'|`([^`]*)`|"([^"]*)"/g)]
    .map(([, single, template, double]) => single ?? template ?? double ?? '')
    .map((text) => text.replaceAll(/\$\{[^}]*\}/g, ''))
    .filter((text) => text.includes(' '))
  return [comment?.[1] ?? comment?.[2] ?? '', ...texts].join(' | ')
}
