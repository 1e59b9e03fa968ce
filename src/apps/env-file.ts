import { isUtf8 } from 'node:buffer'
import { ConfigError } from '../platform/errors.ts'

/** A setting in a file. */
export interface FileSetting {
  readonly value: string
  /** Counted from 1. */
  readonly line: number
}

/**
 * Reads a file of settings, one `NAME=value` a line, as Node's own reader does, but skips nothing
 * in silence. Empty lines and comments (`#`) do not count. A line may begin with `export`. A value
 * in one of three kinds of quotes may go over several lines; in double quotes `\n` is a line feed.
 * The file is UTF-8, with or without a byte order mark, with any line endings.
 *
 * Throws `ConfigError` (`CONFIG_FILE`) with the file, the line and the name, never a value: for
 * another encoding, a line that is not a setting, and quotes that do not match. Of the settings for
 * which `isOwn` is true, also for one that comes twice or that a `#` would cut short.
 */
export function parseEnvFile(
  bytes: Buffer,
  { file, isOwn }: { file: string; isOwn: (name: string) => boolean },
): ReadonlyMap<string, FileSetting> {
  const lines = decode(bytes, file).split(/\r\n|\r|\n/)
  const found = new Map<string, FileSetting>()
  for (let at = 0; at < lines.length; at++) {
    const text = lines[at] ?? ''
    const line = at + 1
    if (/^\s*(#|$)/.test(text)) continue
    const [, name, rest = ''] = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=\s*(.*)$/.exec(text) ?? []
    if (name === undefined) throw unreadable(file, { line, why: notASetting(text) })
    const quoted = /^["'`]/.test(rest)
    const value = quoted
      ? readQuoted([rest, ...lines.slice(at + 1)].join('\n'))
      : readPlain(rest, isOwn(name))
    if (typeof value !== 'string') throw unreadable(file, { line, why: `${name} ${value.why}` })
    const before = found.get(name)
    if (before !== undefined && isOwn(name)) {
      throw unreadable(file, { line, why: `${name} is already set in line ${before.line}` })
    }
    found.set(name, { value: rest.startsWith('"') ? value.replaceAll('\\n', '\n') : value, line })
    if (quoted) at += value.split('\n').length - 1
  }
  return found
}

function decode(bytes: Buffer, file: string): string {
  const wide = findWideEncoding(bytes)
  if (wide !== undefined) {
    throw new ConfigError(`The file ${file} is not text in UTF-8; it looks like ${wide}`, {
      code: 'CONFIG_FILE',
      hint: `iconv -f ${wide} -t UTF-8 ${file} > ${file}.new && mv ${file}.new ${file}`,
    })
  }
  const zero = bytes.indexOf(0)
  if (zero !== -1) {
    const line = bytes.subarray(0, zero).toString('latin1').split('\n').length
    throw unreadable(file, { line, why: 'it contains a NUL byte' })
  }
  if (!isUtf8(bytes)) {
    let line = 1
    let from = 0
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, from)) {
      if (!isUtf8(bytes.subarray(from, end))) break
      from = end + 1
      line += 1
    }
    throw unreadable(file, { line, why: 'it is not UTF-8' })
  }
  return bytes.toString('utf8').replace(/^\ufeff/, '')
}

/**
 * Returns iconv's name for an encoding with more than one byte for each character, `undefined` for
 * any other file. A single NUL does not make a file UTF-16: a conversion would spoil it.
 */
function findWideEncoding(bytes: Buffer): string | undefined {
  const mark = bytes.toString('hex', 0, 4)
  if (mark === 'fffe0000' || mark === '0000feff') return 'UTF-32'
  if (/^(fffe|feff)/.test(mark)) return 'UTF-16'
  const zeros = [0, 0]
  for (const [at, byte] of bytes.entries()) if (byte === 0) zeros[at % 2] = (zeros[at % 2] ?? 0) + 1
  const [even = 0, odd = 0] = zeros
  if (bytes.length === 0 || Math.max(even, odd) < bytes.length / 4) return undefined
  return odd > even ? 'UTF-16LE' : 'UTF-16BE'
}

/**
 * Says that a line is not a setting. Names the setting that was meant, unless that may be a value.
 */
function notASetting(text: string): string {
  const [, name] = /^\s*(?:export\s+)?(TIDEMARK\w*)/i.exec(text) ?? []
  return `${name === undefined ? '' : `${name}: `}it is neither NAME=value nor a comment`
}

/** The text between the quotes with which `text` begins. Only a comment may follow them. */
function readQuoted(text: string): string | { why: string } {
  const end = text.indexOf(text.charAt(0), 1)
  const isAlone = end !== -1 && /^[^\S\n]*(#|\n|$)/.test(text.slice(end + 1))
  return isAlone
    ? text.slice(1, end)
    : { why: 'has quotes that do not match: use a kind of quotes that the value does not contain' }
}

function readPlain(text: string, isOwn: boolean): string | { why: string } {
  const comment = text.search(isOwn ? /(?:^|\s)#/ : /#/)
  const value = (comment === -1 ? text : text.slice(0, comment)).trim()
  if (!isOwn) return value
  if (value.includes('#')) return { why: 'has a # in its value: put the value in quotes' }
  const last = value.at(-1) ?? ''
  const isOpen = /["'`]/.test(last) && value.split(last).length % 2 === 0
  return isOpen ? { why: 'has quotes that do not match: put the whole value in quotes' } : value
}

function unreadable(file: string, { line, why }: { line: number; why: string }): ConfigError {
  return new ConfigError(`${file}, line ${line}: ${why}`, {
    code: 'CONFIG_FILE',
    hint: `correct line ${line} of ${file}; docs/configuration.md describes the format`,
  })
}
