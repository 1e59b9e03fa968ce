// Bundles what browsers load into apps/server/assets below dist (or the given folder): files with hashed
// names, a manifest that names them, and a gzip and a brotli copy of each, so that the server compresses
// nothing. Plain JavaScript, so that a build needs only Node.
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { build } from 'esbuild'
import { bundledLicenses } from './bundled-licenses.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const browser = join(root, 'src/apps/server/browser')
const target = join(root, process.argv[2] ?? 'dist', 'apps/server/assets')
// Made in another folder and moved in one step, because a server or a test may be reading.
const made = `${target}.${process.pid}`

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['dashboard.ts', 'editor.ts', 'dashboard.css'].map((file) => join(browser, file)),
  bundle: true,
  splitting: true,
  minify: true,
  format: 'esm',
  target: ['chrome111', 'firefox115', 'safari16.4'],
  outdir: made,
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  assetNames: '[name]-[hash]',
  loader: { '.woff2': 'file' },
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
})

const manifest = {}
for (const [path, { entryPoint }] of Object.entries(metafile.outputs)) {
  const file = basename(path)
  if (entryPoint !== undefined) manifest[basename(entryPoint).replace(/\.ts$/, '.js')] = file
  else if (file.endsWith('.woff2')) manifest['inter.woff2'] = file
  else manifest[file] = file // shared by several scripts
}
for (const file of await readdir(made)) {
  if (file.endsWith('.woff2')) continue // compressed in itself
  const content = await readFile(join(made, file))
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11 }
  await writeFile(join(made, `${file}.gz`), await promisify(gzip)(content, { level: 9 }))
  await writeFile(join(made, `${file}.br`), await promisify(brotliCompress)(content, { params }))
}
await writeFile(join(made, 'licenses.txt'), await bundledLicenses(metafile, root))
await writeFile(join(made, 'manifest.json'), JSON.stringify(manifest, null, 2))
await mkdir(dirname(target), { recursive: true })
await rm(target, { recursive: true, force: true })
await rename(made, target)
