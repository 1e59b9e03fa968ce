import { asciiLiteral, textArray } from './session.ts'
import type { Client } from './postgres.ts'

/** A statement that changes something. */
const WRITES = /\b(insert|update|delete|create|alter|drop|comment|grant|revoke|truncate)\b/i
/** Statements that belong to one transaction only. */
const OF_TRANSACTION = /^(set|show|savepoint|release|rollback|lock|analyze)\b/i

/**
 * A client that hands each statement to `client` and notes those that change something, in order, as
 * texts with the values of their parameters in place. Only `query` with a text is noted.
 */
export function recordStatements(client: Client): {
  readonly client: Client
  readonly statements: readonly string[]
} {
  const statements: string[] = []
  const query = (text: unknown, values?: unknown, ...others: unknown[]): unknown => {
    if (typeof text === 'string') {
      const written = withoutComments(text).trim()
      if (isChange(written)) statements.push(asStatement(text, values))
    }
    return Reflect.apply(client.query, client, [text, values, ...others])
  }
  const recording = new Proxy(client, {
    get(target, name) {
      if (name === 'query') return query
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { client: recording, statements }
}

function withoutComments(sql: string): string {
  return sql.replaceAll(/^\s*--.*$/gm, '')
}

function isChange(written: string): boolean {
  if (written === '' || OF_TRANSACTION.test(written)) return false
  return /^select\b/i.test(written) ? false : WRITES.test(written)
}

/** The statement with its parameters in place, ending in a semicolon. */
function asStatement(text: string, values: unknown): string {
  const given = Array.isArray(values) ? (values as readonly unknown[]) : []
  // A comment may name a parameter.
  const filled =
    given.length === 0
      ? text
      : withoutComments(text).replaceAll(/\$(\d+)/g, (_, index: string) =>
          literal(given[Number(index) - 1]),
        )
  const sql = dedent(filled).trim().replace(/;$/, '')
  return `${sql};`
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) return textArray(value.map(String))
  return quoted(typeof value === 'string' ? value : JSON.stringify(value))
}

/** A plain literal where that is safe, because people read it. */
function quoted(text: string): string {
  return /^[ -&(-[\]-~]*$/.test(text) ? `'${text}'` : asciiLiteral(text)
}

/** Takes away the indentation of the code. What follows a first line stays below it. */
function dedent(text: string): string {
  const [first = '', ...others] = text.split('\n')
  const depths = others
    .filter((line) => line.trim() !== '')
    .map((line) => /^ */.exec(line)?.[0].length ?? 0)
  const least = depths.length === 0 ? 0 : Math.min(...depths)
  const depth = first.trim() === '' ? least : Math.max(0, least - HANGING)
  return [first, ...others.map((line) => line.slice(Math.min(depth, least)))].join('\n')
}

const HANGING = 4
