import { readFileSync } from 'node:fs'
import { dirname, extname, resolve } from 'node:path'
import { ConfigError } from '../../platform/errors.ts'
import { TIME_STEPS } from '../../platform/project/chart.ts'
import { defineProject } from '../../platform/project/project-config.ts'

/**
 * Reads the config file of a project: what it exports as default, or the value in a JSON file. A
 * script is loaded in any form that Node or TypeScript knows, and may import `defineProject` from
 * `tidemark` wherever Tidemark is installed. Runs the script, once in a process. Throws
 * `ConfigError` (`PROJECT_SYNTAX`, `PROJECT_FAILED`, `PROJECT_EMPTY`) with the file and, if it can
 * be known, the line.
 */
export async function readConfigFile(file: string): Promise<unknown> {
  const text = readText(file)
  if (text.trim() === '') throw nothing(file, 'is empty')
  return extname(file) === '.json' ? parseJson(text, file) : await runScript(file)
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/^\ufeff/, '')
  } catch (cause) {
    throw new ConfigError(`The file ${file} cannot be read`, {
      code: 'PROJECT_UNREADABLE',
      hint: 'check its permissions',
      cause,
    })
  }
}

async function runScript(file: string): Promise<unknown> {
  // Slow to load, and needed for a config file only.
  const { createJiti } = await import('jiti')
  const jiti = createJiti(import.meta.url, {
    // A cache would lie in a folder that other users can write to, and hold code that is run.
    fsCache: false,
    interopDefault: false,
    // Lines in a stack are those of the file.
    transformOptions: { retainLines: true },
    virtualModules: { tidemark: { defineProject, TIME_STEPS } },
  })
  let exported: { readonly default?: unknown }
  try {
    exported = await jiti.import<typeof exported>(resolve(file))
  } catch (error) {
    throw explain(error, file)
  }
  if (exported.default === undefined) throw nothing(file, 'has no default export')
  return exported.default
}

function nothing(file: string, what: string): ConfigError {
  const example = extname(file) === '.json' ? '{}' : 'export default defineProject({})'
  return new ConfigError(`${file} ${what}`, {
    code: 'PROJECT_EMPTY',
    hint: `write a project into it; the smallest, a mirror of every table, is ${example}`,
  })
}

/** Explains why a script could not be loaded. */
function explain(error: unknown, file: string): ConfigError {
  const text = error instanceof Error ? error.message : String(error)
  const syntax = /^ParseError: (?<what>.*?)\s+(?<where>\/.*):(?<line>\d+):\d+\s*$/s.exec(
    text,
  )?.groups
  if (syntax !== undefined) {
    const where = syntax['where'] === resolve(file) ? file : syntax['where']
    return new ConfigError(`${where}, line ${syntax['line']}: ${syntax['what']}`, {
      code: 'PROJECT_SYNTAX',
      hint: `correct line ${syntax['line']} of ${where}`,
      cause: error,
    })
  }
  const [first = ''] = text.split('\n')
  const isMissing = /^Cannot find (module|package) /.test(first)
  const name = error instanceof Error && error.name !== 'Error' ? `${error.name}: ` : ''
  return new ConfigError(`${placeIn(error, file)}: ${isMissing ? '' : name}${first}`, {
    code: 'PROJECT_FAILED',
    hint: isMissing
      ? 'correct the name in the import, or install the package beside the config file'
      : `correct ${file}, so that it can be loaded`,
    cause: error,
  })
}

/** The file and the line that threw an error, if its stack names one in the project's folder. */
function placeIn(error: unknown, file: string): string {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const folder = `${dirname(resolve(file))}/`
  for (const [, path = '', line] of stack.matchAll(
    /(?:\(|at |file:\/\/)(\/[^\n]*?):(\d+):\d+\)?$/gm,
  )) {
    if (!path.startsWith(folder) || path.includes('/node_modules/')) continue
    return `${path === resolve(file) ? file : path}, line ${line}`
  }
  return file
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const { message } = error as SyntaxError
    const at = Number(/ at position (\d+)/.exec(message)?.[1] ?? findFaultyToken(text))
    const line = text.slice(0, at).split('\n').length
    const isComment = /^\/[/*]/.test(text.slice(at))
    const what = isComment
      ? 'a comment, which JSON does not have'
      : message.replace(/(,? ?\.{0,3}".*" is not valid JSON|( in JSON)? at position .*)$/s, '')
    throw new ConfigError(`${file}, line ${line}: ${what}`, {
      code: 'PROJECT_SYNTAX',
      hint: isComment
        ? `remove it, or rename the file tidemark.config.ts and begin it with export default`
        : `correct line ${line} of ${file}`,
      cause: error,
    })
  }
}

const TOKEN = /\s+|"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]/y

/**
 * Where JSON breaks, if the parser does not say: the first sign that no JSON has, or the first that
 * may not follow the one before it.
 */
function findFaultyToken(text: string): number {
  let before = ''
  for (let at = 0; at < text.length;) {
    TOKEN.lastIndex = at
    const [token] = TOKEN.exec(text) ?? []
    if (token === undefined) return at
    if (
      /^[\]},:]$/.test(token) &&
      /^[,:[{]?$/.test(before) &&
      !/^(\[\]|\{\})$/.test(before + token)
    )
      return at
    if (token.trim() !== '') before = token
    at += token.length
  }
  return text.length
}
