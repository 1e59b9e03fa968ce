import type { ProjectConfig } from '../../platform/project/project-config.ts'
import { commentText } from './model-sql.ts'

/** What a configuration file holds: text, numbers, and lists and records of them. */
type Value = string | number | boolean | readonly Value[] | { readonly [name: string]: Value }

/** Comments by the path of the member they stand above: `['mirror', 'exclude']` as JSON. */
export type Comments = ReadonlyMap<string, readonly string[]>

const WIDTH = 100

/** The path of a member, as a key of `Comments`. */
export function memberPath(...names: readonly string[]): string {
  return JSON.stringify(names)
}

/**
 * The text of `tidemark.config.ts`: the project as a person would write it, formatted, with comments
 * above its members. Any name and any text is safe in it. Pure.
 */
export function printConfig(
  config: ProjectConfig,
  { head, comments }: { head: readonly string[]; comments: Comments },
): string {
  const value = JSON.parse(JSON.stringify(config)) as Value
  const body = printBlock(value, { path: [], comments, indent: 0 })
  return [
    "import { defineProject } from 'tidemark'",
    '',
    ...commentLines(head, ''),
    `export default defineProject(${body})`,
    '',
  ].join('\n')
}

interface Place {
  readonly path: readonly string[]
  readonly comments: Comments
  readonly indent: number
}

/** A value on one line if it fits into `room` columns and nothing in it has a comment. */
function print(value: Value, place: Place, room: number): string {
  if (typeof value !== 'object') return typeof value === 'string' ? quote(value) : String(value)
  const line = printLine(value)
  const under = JSON.stringify(place.path).slice(0, -1)
  const hasComment = [...place.comments.keys()].some((path) => path.startsWith(`${under},`))
  return line.length <= room && !hasComment ? line : printBlock(value, place)
}

function printLine(value: Value): string {
  if (Array.isArray(value)) return `[${value.map((each) => printLine(each as Value)).join(', ')}]`
  if (typeof value !== 'object') return typeof value === 'string' ? quote(value) : String(value)
  const members = Object.entries(value).map(([name, each]) => `${member(name)}: ${printLine(each)}`)
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`
}

/** A list or a record, one member a line. */
function printBlock(value: Value, { path, comments, indent }: Place): string {
  if (typeof value !== 'object') return print(value, { path, comments, indent }, WIDTH)
  const inner = ' '.repeat(indent + 2)
  const isList = Array.isArray(value)
  const lines = Object.entries(value as Readonly<Record<string, Value>>).flatMap(([name, each]) => {
    const place = { path: [...path, name], comments, indent: indent + 2 }
    const start = isList ? inner : `${inner}${member(name)}: `
    return [
      ...commentLines(comments.get(memberPath(...place.path)) ?? [], inner),
      `${start}${print(each, place, WIDTH - start.length - 1)},`,
    ]
  })
  const [open, close] = isList ? ['[', ']'] : ['{', '}']
  if (lines.length === 0) return `${open}${close}`
  return [open, ...lines, `${' '.repeat(indent)}${close}`].join('\n')
}

/** Comments as lines that are not too wide. */
function commentLines(texts: readonly string[], indent: string): string[] {
  return texts.flatMap((text) => {
    const lines: string[] = []
    let line = ''
    for (const word of commentText(text).split(' ')) {
      const longer = line === '' ? word : `${line} ${word}`
      if (line !== '' && indent.length + 3 + longer.length > WIDTH) {
        lines.push(line)
        line = word
      } else line = longer
    }
    return [...lines, line].map((each) => `${indent}// ${each}`)
  })
}

function member(name: string): string {
  // Without brackets, this one name would set the prototype.
  if (name === '__proto__') return `['${name}']`
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) ? name : quote(name)
}

/**
 * A string literal, in the quotes that need fewer escapes. Line separators are escaped, because editors
 * show them as line breaks.
 */
function quote(text: string): string {
  const inner = JSON.stringify(text)
    .slice(1, -1)
    .replaceAll(/[\u2028\u2029]/g, escapeUnit)
  const count = (mark: string): number => text.split(mark).length
  if (count("'") > count('"')) return `"${inner}"`
  return `'${inner.replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}
