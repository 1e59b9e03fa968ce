// `node scripts/build-site.js [folder]`, after a build: makes the files for the bucket behind CloudFront,
// in build/site or the given folder. They are login.html and, under assets/, what it and the dashboard
// load, with hashed names. The deployment adds `login/config.json`; src/apps/aws/login-config.ts says
// how each file is cached. Compressed copies are left out, because CloudFront compresses.
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const site = join(root, 'src/apps/aws/site')
const assets = join(root, 'dist/apps/server/assets')
const target = resolve(root, process.argv[2] ?? 'build/site')
const made = `${target}.${process.pid}`

const manifest = await readFile(join(assets, 'manifest.json'), 'utf8').catch(() => {
  process.stderr.write(`${join('dist', 'apps/server/assets')} is missing\n  hint: npm run build\n`)
  process.exit(1)
})
const names = new Map(Object.entries(JSON.parse(manifest)))

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: [join(site, 'login.ts'), join(site, 'login.css')],
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['chrome111', 'firefox115', 'safari16.4'],
  outdir: join(made, 'assets'),
  entryNames: '[name]-[hash]',
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
})
for (const [path, { entryPoint = '' }] of Object.entries(metafile.outputs)) {
  names.set(basename(entryPoint).replace(/\.ts$/, '.js'), basename(path))
}
for (const file of await readdir(assets)) {
  if (/\.(css|js|woff2)$/.test(file)) await cp(join(assets, file), join(made, 'assets', file))
}
const html = await readFile(join(site, 'login.html'), 'utf8')
const page = html.replaceAll(/\/assets\/([\w.]+)/g, (_, name) => {
  const file = names.get(name)
  if (file === undefined) throw new Error(`login.html loads ${name}, which was not built`)
  return `/assets/${file}`
})
await writeFile(join(made, 'login.html'), page)
await mkdir(dirname(target), { recursive: true })
await rm(target, { recursive: true, force: true })
await rename(made, target)
