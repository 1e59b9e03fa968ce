// `node scripts/find-secrets.js [--history]`: searches every file that git knows, or every line that any commit
// ever added, for text that looks like a secret. Prints file, line or commit, and kind, never the secret.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { realpathSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

/**
 * Patterns of secrets by kind. A connection to this machine is not a secret, and neither is one with the
 * password `password` or `PASSWORD`.
 */
export const SECRETS = {
  'private key': /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/,
  'AWS access key': /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/,
  'AWS secret key':
    /aws_?secret_?access_?key["']?\s*[:=]\s*["']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])/i,
  'GitHub token': /\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{50,})\b/,
  'npm token': /\bnpm_[A-Za-z0-9]{36}\b/,
  'Slack token or hook': /\bxox[abprs]-[\w-]{10,}|hooks\.slack\.com\/services\/T\w+\/B\w+\/\w+/,
  'JSON web token': /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}/,
  'connection string':
    /\bpostgres(?:ql)?:\/\/[^\s:/@'"`$<]+:(?!password@|PASSWORD@)[^\s@'"`$<{…]{6,}@(?!127\.|localhost\b)[A-Za-z0-9]/,
}

/** The kind of secret that a text seems to contain, if any. */
export function findSecret(text) {
  return Object.keys(SECRETS).find((kind) => SECRETS[kind].test(text))
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === import.meta.filename) {
  const { values } = parseArgs({ options: { history: { type: 'boolean', default: false } } })
  const found = values.history ? await searchHistory() : await searchFiles()
  for (const finding of found) process.stderr.write(`${finding}\n`)
  if (found.length > 0) process.stderr.write('  hint: revoke it first, then remove it\n')
  process.exitCode = found.length > 0 ? 1 : 0
}

/** `git grep` leaves out binary files. The empty pattern finds every line. */
async function searchFiles() {
  const found = []
  for await (const line of git('grep', '--untracked', '-In', '')) {
    const [, place, text] = /^(.*?:\d+):(.*)$/.exec(line) ?? []
    const kind = text && findSecret(text)
    if (kind !== undefined && kind !== '') found.push(`${place}: ${kind}`)
  }
  return found
}

async function searchHistory() {
  const found = []
  let commit = ''
  let file = ''
  const log = ['log', '--all', '--patch', '--unified=0', '--no-color', '--no-ext-diff']
  for await (const line of git(...log, '--format=commit %H')) {
    if (line.startsWith('commit ')) commit = line.slice('commit '.length, 19)
    else if (line.startsWith('+++ ')) file = line.slice('+++ b/'.length)
    else if (line.startsWith('+')) {
      const kind = findSecret(line)
      if (kind !== undefined) found.push(`${commit} ${file}: ${kind}`)
    }
  }
  return found
}

async function* git(...args) {
  // In a container the checkout may belong to another user.
  const child = spawn('git', ['-c', 'safe.directory=*', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  yield* createInterface({ input: child.stdout })
  const [code] = await ended
  if (code !== 0) throw new Error(`git ${args[0]} ended with ${code}`)
}
