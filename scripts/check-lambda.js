// `node scripts/check-lambda.js [--arch arm64|x64]`: checks a package in build/lambda/<arch> against what
// Lambda and Tidemark expect, and lists sizes. Changes nothing.
import { spawnSync } from 'node:child_process'
import { createReadStream, realpathSync } from 'node:fs'
import { open, readdir, readFile, stat } from 'node:fs/promises'
import os from 'node:os'
import { join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { createDeflateRaw } from 'node:zlib'
import { build } from 'esbuild'
import { findSecret } from './find-secrets.js'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Lambda takes 250 MB, or 50 MB zipped if sent directly. */
const LIMITS = { sizeBytes: 80e6, zipBytes: 50e6 }
/** The field `e_machine` in an ELF file. */
const MACHINES = { arm64: 183, x64: 62 }
/**
 * Splits `extract.handler` into the module `extract` and the export `handler`. Lambda cuts at the *first*
 * dot and looks up the rest as nested properties.
 */
export function splitHandler(handler) {
  const dot = handler.indexOf('.')
  return { module: handler.slice(0, dot), path: handler.slice(dot + 1).split('.') }
}

/** Returns the faults of a package, each in one line, and its sizes. Imports the functions if this machine can. */
export async function checkLambda({ arch, target, limits = LIMITS }) {
  const files = await listFiles(target)
  const sizes = await measure(target, files)
  const faults = [
    ...(await checkFunctions({ arch, target, files })),
    ...(await checkLibrary({ arch, target })),
    ...checkNames(files),
    ...(await checkTexts({ target, files })),
    ...(await checkPackages({ target })),
  ]
  if (sizes.total > limits.sizeBytes) {
    faults.push(`unzipped it is ${mb(sizes.total)}, over ${mb(limits.sizeBytes)}`)
  }
  if (sizes.zipped > limits.zipBytes) {
    faults.push(`zipped it is ${mb(sizes.zipped)}, over ${mb(limits.zipBytes)}`)
  }
  return { arch, faults, sizes }
}

/** Writes the outcome. The exit code says whether there are faults. */
export function report({ arch, faults, sizes }) {
  const { library, code, other, total, zipped } = sizes
  process.stdout.write(
    `${arch}: DuckDB ${mb(library)}, code ${mb(code)}, files ${mb(other)}; ` +
      `${mb(total)} of ${mb(LIMITS.sizeBytes)} unzipped, ${mb(zipped)} of ${mb(LIMITS.zipBytes)} zipped\n`,
  )
  for (const fault of faults) process.stderr.write(`${arch}: ${fault}\n`)
  if (faults.length > 0) process.exitCode = 1
}

function mb(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

/** The path of every file within the package. */
async function listFiles(target) {
  const entries = await readdir(target, { recursive: true, withFileTypes: true }).catch((error) => {
    if (error.code !== 'ENOENT') throw error
    throw new Error(
      `${relative(root, target)} is missing\n  hint: node scripts/package-lambda.js`,
      { cause: error },
    )
  })
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(target, join(entry.parentPath, entry.name)))
    .toSorted()
}

async function measure(target, files) {
  const sizes = { library: 0, code: 0, other: 0, total: 0, zipped: 22 }
  for (const file of files) {
    const { size } = await stat(join(target, file))
    let part = 'other'
    if (file.startsWith('node_modules/')) part = 'library'
    else if (file.endsWith('.mjs')) part = 'code'
    sizes[part] += size
    sizes.total += size
    // A zip contains each file name twice: before the content and in the directory at the end.
    sizes.zipped += (await deflatedSize(join(target, file))) + 76 + 2 * Buffer.byteLength(file)
  }
  return sizes
}

async function deflatedSize(file) {
  let size = 0
  await pipeline(createReadStream(file), createDeflateRaw(), async (chunks) => {
    for await (const chunk of chunks) size += chunk.length
  })
  return size
}

/** Checks that each handler is where Lambda looks for it, and that Lambda may read it. */
async function checkFunctions({ arch, target, files }) {
  const { FUNCTIONS } = await import('../dist/apps/aws/functions.js')
  const faults = []
  for (const { handler } of Object.values(FUNCTIONS)) {
    const { module, path } = splitHandler(handler)
    const file = `${module}.mjs`
    if (!files.includes(file)) {
      faults.push(`${file} is missing, where Lambda looks for ${handler}`)
      continue
    }
    const { metafile } = await build({
      entryPoints: [join(target, file)],
      metafile: true,
      write: false,
    })
    const [output] = Object.values(metafile.outputs)
    if (!output.exports.includes(path[0])) faults.push(`${file} does not export ${path[0]}`)
    else if (process.platform === 'linux' && process.arch === arch) {
      faults.push(...(await importHandler({ file: join(target, file), handler })))
    }
  }
  for (const file of files) {
    const { mode } = await stat(join(target, file))
    if ((mode & 0o444) !== 0o444) faults.push(`${file} cannot be read by everybody`)
  }
  return faults
}

/** Imports a handler as Lambda does when it starts a function. */
async function importHandler({ file, handler }) {
  const { path } = splitHandler(handler)
  const script = `
    const module = await import(${JSON.stringify(pathToFileURL(file).href)})
    const found = ${JSON.stringify(path)}.reduce((value, key) => value?.[key], module)
    process.exit(typeof found === 'function' ? 0 : 3)`
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', script],
    { cwd: os.tmpdir(), env: {}, encoding: 'utf8' },
  )
  if (status === 0) return []
  const why =
    status === 3 ? 'it is not a function' : stderr.trim().split('\n').slice(0, 6).join(' ')
  return [`${handler} cannot be imported: ${why}`]
}

/** Checks that the library is there for this architecture, and no other. */
async function checkLibrary({ arch, target }) {
  const folder = join(target, 'node_modules/@duckdb')
  const names = await readdir(folder).catch(() => [])
  const wanted = ['node-bindings', `node-bindings-linux-${arch}`]
  const faults = []
  if (names.length !== wanted.length || !wanted.every((name) => names.includes(name))) {
    faults.push(
      `it contains ${names.join(', ') || 'nothing'} from DuckDB, but needs ${wanted.join(', ')}`,
    )
  }
  for (const name of ['duckdb.node', 'libduckdb.so']) {
    const machine = await readMachine(join(folder, `node-bindings-linux-${arch}`, name))
    if (machine === MACHINES[arch]) continue
    faults.push(
      `${name} is ${machine ?? 'not a library'}; it must be for ELF machine ${MACHINES[arch]}`,
    )
  }
  return faults
}

/** `undefined` for a file that is not a 64-bit little-endian ELF file. */
async function readMachine(path) {
  const header = Buffer.alloc(20)
  try {
    const file = await open(path)
    await file.read(header, 0, header.length, 0).finally(() => file.close())
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
  const isElf = header.subarray(0, 6).equals(Buffer.from('\x7fELF\x02\x01', 'latin1'))
  return isElf ? header.readUInt16LE(18) : undefined
}

function checkNames(files) {
  return files
    .filter((file) => /\.[cm]?tsx?$|\.(test|contract)\.|\.map$|(^|\/)\.env/.test(file))
    .map((file) => `${file} does not belong there`)
}

async function checkTexts({ target, files }) {
  const faults = []
  const paths = [root, os.homedir() === '/root' ? undefined : os.homedir()].filter(Boolean)
  for (const file of files.filter((name) => /\.(mjs|js|json|sql)$/.test(name))) {
    const text = await readFile(join(target, file), 'utf8')
    const path = paths.find((one) => text.includes(one))
    if (path !== undefined) faults.push(`${file} contains a path of this machine: ${path}`)
    const secret = findSecret(text)
    if (secret !== undefined) faults.push(`${file} contains what looks like a secret: ${secret}`)
  }
  return faults
}

async function checkPackages({ target }) {
  const { devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const listed = await readFile(join(root, 'docs/dependencies.md'), 'utf8')
  const [, atRunTime = ''] = listed.split(/^## /m)
  const bundled = JSON.parse(await readFile(join(target, 'bundled-packages.json'), 'utf8'))
  return bundled
    .map(({ name }) => name)
    .filter((name) => Object.hasOwn(devDependencies, name) && !atRunTime.includes(`\`${name}\``))
    .map((name) => `${name} is bundled, but docs/dependencies.md does not list it at run time`)
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === import.meta.filename) {
  const { values } = parseArgs({ options: { arch: { type: 'string', default: 'arm64' } } })
  const { arch } = values
  if (!Object.hasOwn(MACHINES, arch)) throw new Error(`--arch is arm64 or x64, not ${arch}`)
  report(await checkLambda({ arch, target: join(root, 'build/lambda', arch) }))
}
