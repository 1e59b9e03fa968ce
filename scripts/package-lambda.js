// `node scripts/package-lambda.js [--arch arm64|x64] [--check]`, after a build: makes the package for Lambda
// in build/lambda/<arch>. It holds one module for each function, shared chunks beside them, the files that
// modules read at run time (under dist/, as in the repository), and DuckDB's library for the architecture,
// checked against package-lock.json. The same input makes the same bytes.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, realpathSync } from 'node:fs'
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises'
import os from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { build } from 'esbuild'
import { checkLambda, report, splitHandler } from './check-lambda.js'
import { moduleUrls } from './module-urls.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const run = promisify(execFile)

/** What went wrong, and the command that fixes it. */
class PackageError extends Error {
  constructor(message, { hint, cause }) {
    super(`${message}\n  hint: ${hint}`, { cause })
  }
}

/**
 * Makes the package in `target`, completely or not at all, and replaces what was there. `entries` are
 * further modules by their name in the package, for tests.
 */
export async function packageLambda({
  arch,
  target,
  dist = join(root, 'dist'),
  lockFile = join(root, 'package-lock.json'),
  entries = {},
}) {
  const functions = await readFunctions(dist)
  await mkdir(dirname(target), { recursive: true })
  const made = await mkdtemp(`${target}.`)
  try {
    const { inputs } = await bundle({ functions, entries, dist, made })
    await copyFiles({ inputs, dist, made })
    await writeManifests({ inputs, made })
    await addDuckDb({ arch, lockFile, made })
    await openToEverybody(made)
    await rm(target, { recursive: true, force: true })
    await rename(made, target)
  } catch (error) {
    await rm(made, { recursive: true, force: true })
    throw error
  }
}

async function readFunctions(dist) {
  const file = join(dist, 'apps/aws/functions.js')
  if (!existsSync(file)) {
    throw new PackageError(`${relative(root, file)} is missing`, { hint: 'npm run build' })
  }
  const { FUNCTIONS } = await import(pathToFileURL(file).href)
  return FUNCTIONS
}

async function bundle({ functions, entries, dist, made }) {
  const stubs = new Map()
  for (const [name, { handler }] of Object.entries(functions)) {
    const { module, path } = splitHandler(handler)
    const source = join(dist, `apps/aws/${name}.lambda.js`)
    if (!existsSync(source)) {
      throw new PackageError(`${relative(root, source)} is missing`, { hint: 'npm run build' })
    }
    const what = path.length === 1 ? '{ handler }' : `* as ${path[0]}`
    stubs.set(module, `export ${what} from ${JSON.stringify(source)}`)
  }
  for (const [module, source] of Object.entries(entries)) {
    stubs.set(module, `export * from ${JSON.stringify(source)}`)
  }
  const { metafile } = await build({
    absWorkingDir: dist,
    entryPoints: [...stubs.keys()].map((module) => ({ in: `function:${module}`, out: module })),
    outdir: made,
    outExtension: { '.js': '.mjs' },
    // Chunks lie beside the entries, so that `moduleUrls` is right in every file. In the package, the files
    // that modules read lie under `dist/`, as here.
    chunkNames: '_[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // Prefer the AWS SDK's ES modules, because unused parts of them are left out.
    mainFields: ['module', 'main'],
    // The state machine distinguishes errors by the names of their classes.
    keepNames: true,
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    external: ['@duckdb/node-bindings', 'pg-native'],
    // CommonJS inside an ES module. External packages are found from here.
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
    plugins: [functionStubs(stubs), moduleUrls(dist, { seenFrom: './dist' })],
    metafile: true,
    logLevel: 'error',
  })
  const inputs = Object.keys(metafile.inputs).filter((path) => !/^[(\w-]+:/.test(path))
  return { inputs: inputs.map((path) => join(dist, path)) }
}

function functionStubs(stubs) {
  return {
    name: 'function-stubs',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^function:/ }, ({ path }) => ({
        path: path.slice('function:'.length),
        namespace: 'function',
      }))
      onLoad({ filter: /.*/, namespace: 'function' }, ({ path }) => ({
        contents: stubs.get(path),
        resolveDir: root,
      }))
    },
  }
}

/** Copies the files that are not modules, from each world and app that the functions include. */
async function copyFiles({ inputs, dist, made }) {
  const places = inputs.map((path) => relative(dist, path)).filter((path) => !path.startsWith('..'))
  const parts = places.flatMap((place) => /^(?:apps\/\w+|(?!apps)\w+)(?=\/)/.exec(place)?.[0] ?? [])
  for (const part of new Set(parts)) {
    await cp(join(dist, part), join(made, 'dist', part), {
      recursive: true,
      // Sources, from which `init --template` makes files, are not for functions.
      filter: (from) => !/\.(js|map|ts)$/.test(from) || from.includes('/apps/server/assets/'),
    })
  }
}

/** Writes our package.json, from which the version is read, and lists the packages in the bundles. */
async function writeManifests({ inputs, made }) {
  const { name, version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  await writeJson(join(made, 'package.json'), { name, version, private: true, type: 'module' })
  const folders = inputs.flatMap(
    (path) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? [],
  )
  const bundled = []
  for (const folder of new Set(folders)) {
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    bundled.push({ name: manifest.name, version: manifest.version, license: manifest.license })
  }
  bundled.sort((a, b) => (`${a.name}@${a.version}` < `${b.name}@${b.version}` ? -1 : 1))
  await writeJson(join(made, 'bundled-packages.json'), bundled)
}

/** Adds the package that loads DuckDB's library, and the library for one architecture with glibc. */
async function addDuckDb({ arch, lockFile, made }) {
  const lock = JSON.parse(await readFile(lockFile, 'utf8'))
  const scratch = await mkdtemp(join(os.tmpdir(), 'tidemark-package-'))
  try {
    for (const name of ['@duckdb/node-bindings', `@duckdb/node-bindings-linux-${arch}`]) {
      const folder = await unpack(name, { lock, scratch })
      const target = join(made, 'node_modules', name)
      await mkdir(target, { recursive: true })
      for (const file of await readdir(folder)) {
        if (/\.d\.ts$|^README/.test(file)) continue
        await rename(join(folder, file), join(target, file)).catch(async (error) => {
          if (error.code !== 'EXDEV') throw error
          await cp(join(folder, file), join(target, file))
        })
      }
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function unpack(name, { lock, scratch }) {
  const { version, integrity } = lock.packages[`node_modules/${name}`] ?? {}
  if (version === undefined || !integrity?.startsWith('sha512-')) {
    throw new PackageError(`package-lock.json has no sha512 for ${name}`, { hint: 'npm install' })
  }
  const spec = `${name}@${version}`
  const target = join(scratch, name.replaceAll('/', '-'))
  await mkdir(target)
  const { stdout } = await run(
    'npm',
    ['pack', spec, '--json', '--prefer-offline', '--ignore-scripts', '--pack-destination', target],
    { cwd: root },
  ).catch((error) => {
    const reason = /npm error code (\S+)/.exec(error.stderr)?.[1] ?? error.message.split('\n')[0]
    throw new PackageError(`npm could not fetch ${spec} (${reason})`, {
      hint: "the package registry, or npm's cache of it, is needed: npm ping",
    })
  })
  const [{ filename }] = JSON.parse(stdout)
  const file = join(target, filename.replace(/^@/, '').replaceAll('/', '-'))
  const sum = createHash('sha512')
    .update(await readFile(file))
    .digest('base64')
  if (`sha512-${sum}` !== integrity) {
    throw new PackageError(`${spec} is not what package-lock.json says it is`, {
      hint: 'do not use it: npm cache clean --force, then try again',
    })
  }
  await run('tar', ['-xzf', file, '-C', target])
  return join(target, 'package')
}

/** Lets every user read the files, because Lambda reads as another user, whatever the umask was. */
async function openToEverybody(made) {
  await chmod(made, 0o755)
  for (const entry of await readdir(made, { recursive: true, withFileTypes: true })) {
    await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644)
  }
}

async function writeJson(file, value) {
  await writeFile(file, `${JSON.stringify(value, null, 2)}\n`)
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === import.meta.filename) {
  await main()
}

async function main() {
  try {
    const { values } = parseArgs({
      options: {
        arch: { type: 'string', default: 'arm64' },
        check: { type: 'boolean', default: false },
      },
    })
    const { arch } = values
    if (arch !== 'arm64' && arch !== 'x64') {
      throw new PackageError(`Lambda has no architecture ${arch}`, { hint: '--arch arm64 or x64' })
    }
    const target = join(root, 'build/lambda', arch)
    await packageLambda({ arch, target })
    process.stdout.write(`${relative(root, target)}\n`)
    if (values.check) report(await checkLambda({ arch, target }))
  } catch (error) {
    process.stderr.write(`${error instanceof PackageError ? error.message : error.stack}\n`)
    process.exitCode = 1
  }
}
