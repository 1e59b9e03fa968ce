import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const WIDTH = 100

const PAGES = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'AGENTS.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file))
    .toSorted(),
]

describe.each(PAGES)('%s', (page) => {
  const text = readFileSync(join(root, page), 'utf8')

  it('links to files and headings that exist', () => {
    const dead = linksOf(text).filter((link) => !leadsSomewhere(page, link))
    expect(dead).toEqual([])
  })

  it('names files of the repository that exist', () => {
    const named = [...text.matchAll(/`((?:src|test|docs|scripts|bench)\/[\w./-]+)`/g)]
    const missing = named
      .map(([, path = '']) => path)
      .filter((path) => !existsSync(join(root, path)))
    expect(missing).toEqual([])
  })

  it(`has prose of at most ${WIDTH} columns`, () => {
    const wide = proseOf(text).filter(({ line }) => line.length > WIDTH && !isLinks(line))
    expect(wide.map(({ line, number }) => `${page}:${number} ${line}`)).toEqual([])
  })
})

it('a link leads somewhere only if its file and its heading exist', () => {
  expect(leadsSomewhere('docs/history.md', '../README.md')).toBe(true)
  expect(leadsSomewhere('README.md', 'docs/nothing.md')).toBe(false)
  expect(leadsSomewhere('README.md', 'docs/history.md#invariants')).toBe(true)
  expect(leadsSomewhere('README.md', 'docs/history.md#nothing')).toBe(false)
})

it('headings get the anchors that GitHub gives them', () => {
  const text = '# A `b_c` (d)\n\n```sh\n# no heading\n```\n## Same\n## Same\n## [E](f.md): g'
  expect(anchorsOf(text)).toEqual(['a-b_c-d', 'same', 'same-1', 'e-g'])
})

/** Targets of the relative links and images of a page, code left out. */
function linksOf(text: string): string[] {
  const prose = proseOf(text, { tables: true })
    .map(({ line }) => line.replaceAll(/`[^`]*`/g, '`'))
    .join('\n')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? join(root, page) : resolve(root, dirname(page), path)
  const file = relative(root, target)
  if (file.startsWith('..') || !existsSync(target)) return false
  return anchor === undefined || anchorsOf(readFileSync(target, 'utf8')).includes(anchor)
}

/** Anchors as GitHub makes them: lower case, punctuation dropped, repeated ones numbered. */
function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>()
  return proseOf(text).flatMap(({ line }) => {
    const [, heading] = /^#{1,6} +(.*)$/.exec(line) ?? []
    if (heading === undefined) return []
    const anchor = heading
      .replaceAll(/\]\([^)]*\)/g, '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-')
    const before = seen.get(anchor) ?? 0
    seen.set(anchor, before + 1)
    return [before === 0 ? anchor : `${anchor}-${before}`]
  })
}

/** The lines outside code blocks, HTML and, unless wanted, tables. */
function proseOf(text: string, { tables = false } = {}): { line: string; number: number }[] {
  let isCode = false
  return text.split('\n').flatMap((line, index) => {
    const isFence = /^\s*```/.test(line)
    if (isFence) isCode = !isCode
    if (isFence || isCode || /^\s*</.test(line)) return []
    if (!tables && /^\s*\|/.test(line)) return []
    return [{ line, number: index + 1 }]
  })
}

/** Whether a line holds nothing but links, which cannot be wrapped. */
function isLinks(line: string): boolean {
  return !/\w/.test(line.replaceAll(/!?\[[^\]]*\]\([^)]*\)/g, ''))
}
