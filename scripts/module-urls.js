import { readFile } from 'node:fs/promises'
import { relative } from 'node:path'

/**
 * A plugin for esbuild. Our modules find files beside themselves through `import.meta.url`, which in a
 * bundle names the bundle. With the plugin it names the place of the module itself. `seenFrom` leads from
 * the folder of all bundles to `dist`.
 */
export function moduleUrls(dist, { seenFrom }) {
  return {
    name: 'module-urls',
    setup({ onLoad }) {
      onLoad({ filter: /\.js$/, namespace: 'file' }, async ({ path }) => {
        const place = relative(dist, path)
        if (place.startsWith('..') || place.includes('node_modules')) return undefined
        const text = await readFile(path, 'utf8')
        if (!text.includes('import.meta.url')) return undefined
        const url = `new URL(${JSON.stringify(`${seenFrom}/${place}`)}, import.meta.url).href`
        const contents = text.replaceAll('import.meta.url', '__moduleUrl')
        return { contents: `const __moduleUrl = ${url};${contents}`, loader: 'js' }
      })
    },
  }
}
