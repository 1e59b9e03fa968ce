// `node scripts/create-secret.js <name> [--region eu-west-2] [--url]`: asks at the terminal for a database
// connection and stores it in Secrets Manager under that name, as the JSON that functions and QuickSight
// read. With --url it stores one address instead: a connection string, or a mail server (smtp://…). The
// password is not shown as you type, and reaches no file, argument, environment or log. An existing secret
// gets a new version, which functions read within five minutes.
import process from 'node:process'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { parseArgs } from 'node:util'
import {
  CreateSecretCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'

const USAGE = 'node scripts/create-secret.js <name> [--region eu-west-2] [--url]'

function fail(message, hint) {
  process.stderr.write(`${message}\n  hint: ${hint}\n`)
  process.exit(2)
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { region: { type: 'string' }, url: { type: 'boolean', default: false } },
    })
    const [name, ...more] = positionals
    if (name === undefined || more.length > 0) fail('Give the name of one secret', USAGE)
    if (!/^[\w/+=.@-]{1,200}$/.test(name))
      fail('That is not a valid name for a secret', 'use a name such as tidemark/source')
    return { name, ...values }
  } catch {
    return fail('These arguments are not valid', USAGE)
  }
}

/** The terminal, with an echo that can be switched off. */
function openTerminal() {
  let isShown = true
  const output = new Writable({
    write(chunk, encoding, done) {
      if (isShown) process.stderr.write(chunk, encoding)
      done()
    },
  })
  const lines = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 })
  lines.on('SIGINT', () => {
    process.stderr.write('\nNothing was stored\n')
    process.exit(130)
  })
  return {
    async ask(what, standard) {
      const answer = await lines.question(standard ? `${what} [${standard}]: ` : `${what}: `)
      return answer.trim() || (standard ?? '')
    },
    async askHidden(what) {
      process.stderr.write(`${what} (not shown): `)
      isShown = false
      const answer = await lines.question('')
      isShown = true
      process.stderr.write('\n')
      return answer
    },
    close: () => lines.close(),
  }
}

async function readValue(terminal, { url }) {
  if (url) {
    const given = (
      await terminal.askHidden(
        'postgresql://user:password@host:5432/database or smtp://user:password@host:587',
      )
    ).trim()
    if (/^postgres(ql)?:\/\/[^@\s]+@[^/\s]+\/\S+$/.test(given)) return given
    if (/^smtps?:\/\/[^@\s]+@[^@/\s]+$/.test(given)) return given
    fail(
      'That is neither a Postgres connection string nor a mail server',
      'leave out --url to be asked for the parts of a connection string',
    )
  }
  const host = await terminal.ask('Host')
  const port = Number(await terminal.ask('Port', '5432'))
  const dbname = await terminal.ask('Database')
  const username = await terminal.ask('User')
  const password = await terminal.askHidden('Password')
  if (![host, dbname, username, password].every(Boolean) || !Number.isInteger(port)) {
    fail('Host, port, database, user and password must all be given', USAGE)
  }
  return JSON.stringify({ engine: 'postgres', host, port, dbname, username, password })
}

async function keep({ name, region, value }) {
  const client = new SecretsManagerClient(region === undefined ? {} : { region })
  try {
    const { ARN } = await client.send(
      new CreateSecretCommand({
        Name: name,
        SecretString: value,
        Description: 'Tidemark: a connection to a server',
      }),
    )
    return { arn: ARN, isNew: true }
  } catch (error) {
    if (error.name !== 'ResourceExistsException') throw error
  }
  const { ARN } = await client.send(
    new PutSecretValueCommand({ SecretId: name, SecretString: value }),
  )
  return { arn: ARN, isNew: false }
}

const options = readArguments()
if (!process.stdin.isTTY) fail('Type the secret at a terminal: a pipe is not accepted', USAGE)
const terminal = openTerminal()
const value = await readValue(terminal, options)
terminal.close()
try {
  const { arn, isNew } = await keep({ ...options, value })
  process.stdout.write(`${isNew ? 'created' : 'given a new version'}: ${arn}\n`)
} catch (error) {
  // The SDK's message could contain what was sent. The name of the error says enough.
  fail(
    `The secret was not stored [${error.name}]`,
    'check AWS_PROFILE and AWS_REGION; secretsmanager:CreateSecret and :PutSecretValue are needed',
  )
}
