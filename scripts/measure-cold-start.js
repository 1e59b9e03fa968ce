// `node scripts/measure-cold-start.js [--function extract] [--runs 15]`, after package-lambda.js for this
// machine's architecture: measures a fresh process on one processor until a function logs its first line.
// Lambda also has to fetch the package.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { splitHandler } from './check-lambda.js'

const BAR_MS = 1500

const { values } = parseArgs({
  options: {
    function: { type: 'string', default: 'extract' },
    runs: { type: 'string', default: '15' },
  },
})
const { module, path } = splitHandler(await handlerOf(values.function))
const folder = fileURLToPath(new URL(`../build/lambda/${process.arch}`, import.meta.url))
const file = join(folder, `${module}.mjs`)
if (!existsSync(file)) {
  fail(`${file} is missing`, `node scripts/package-lambda.js --arch ${process.arch}`)
}

const event = { version: '2.0', rawPath: '/', headers: {}, requestContext: { http: {} } }
const context = `{
  awsRequestId: 'cold', memoryLimitInMB: '1769', getRemainingTimeInMillis: () => 900_000 }`
const script = `
  const module = await import(${JSON.stringify(pathToFileURL(file).href)})
  const handler = ${JSON.stringify(path)}.reduce((value, key) => value[key], module)
  const input = ${JSON.stringify(values.function === 'api' ? event : {})}
  await handler(input, ${context}).catch(() => {})
  console.log('ended')
  process.exit()`

const isolated = spawnSync('taskset', ['--version']).status === 0 ? ['taskset', '-c', '0'] : []
const env = {
  PATH: process.env.PATH,
  TIDEMARK_SCRATCH: join(os.tmpdir(), `tidemark-cold-${process.pid}`),
}
const bare = []
const firstLines = []
for (let run = 0; run < Number(values.runs); run++) {
  bare.push(await timeFirstLine("console.log('started')"))
  firstLines.push(await timeFirstLine(script))
}
const typicalMs = print(`${values.function}, to its first line`, firstLines)
print('of that node itself', bare)
if (typicalMs > BAR_MS)
  fail(`the median is over ${BAR_MS} ms`, 'find out what it imports at its start')

async function handlerOf(name) {
  const { FUNCTIONS } = await import('../dist/apps/aws/functions.js').catch(() =>
    fail('the build is missing', 'npm run build'),
  )
  if (!Object.hasOwn(FUNCTIONS, name)) {
    fail(`there is no function ${name}`, `use one of ${Object.keys(FUNCTIONS).join(', ')}`)
  }
  return FUNCTIONS[name].handler
}

async function timeFirstLine(text) {
  const command = [...isolated, process.execPath, '--input-type=module', '--eval', text]
  const startedAt = performance.now()
  const child = spawn(command[0], command.slice(1), {
    cwd: os.tmpdir(),
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const exited = once(child, 'exit')
  await Promise.race([once(child.stdout, 'data'), exited])
  const tookMs = performance.now() - startedAt
  child.stdout.resume()
  const [code] = await exited
  if (code !== 0) fail(`the function ended with ${code}`, 'node scripts/check-lambda.js')
  return tookMs
}

function print(what, times) {
  const [min, median, max] = [0, Math.floor(times.length / 2), times.length - 1]
    .map((place) => times.toSorted((a, b) => a - b)[place])
    .map(Math.round)
  process.stdout.write(
    `${what}: min ${min}, median ${median}, max ${max} ms over ${times.length} runs\n`,
  )
  return median
}

function fail(message, hint) {
  process.stderr.write(`${message}\n  hint: ${hint}\n`)
  process.exit(1)
}
