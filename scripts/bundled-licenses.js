// The licences of the packages that are in a bundle, which must go wherever the bundle goes.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * One text with the licence of every package from which esbuild took a file, by its `metafile`. Paths in
 * it are relative to `root`. Throws if a package has no licence file.
 */
export async function bundledLicenses({ inputs }, root) {
  const folders = Object.keys(inputs).flatMap(
    (path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
  )
  const texts = []
  for (const folder of [...new Set(folders)].toSorted()) {
    const place = join(root, folder)
    const { name, version, license } = JSON.parse(
      await readFile(join(place, 'package.json'), 'utf8'),
    )
    const file = (await readdir(place)).find((each) => /^licen[cs]e/i.test(each))
    const text = file === undefined ? '' : await readFile(join(place, file), 'utf8')
    texts.push(`${name} ${version} (${license})\n\n${text.trim()}\n`)
  }
  return texts.join(`\n${'-'.repeat(78)}\n\n`)
}
