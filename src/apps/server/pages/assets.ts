import { existsSync, readFileSync } from 'node:fs'

/** Where the build writes the assets, as seen from the built code and from its sources. */
const FOLDERS = ['../assets/', '../../../../dist/apps/server/assets/']

interface Manifest {
  /** The names that pages use, and the names of the files, which contain a hash of their content. */
  readonly [name: string]: string
}

let known: { folder: URL; manifest: Manifest } | undefined

/** Throws if the assets were not built, which is a fault of the installation. */
function openAssets(): { folder: URL; manifest: Manifest } {
  if (known !== undefined) return known
  const folder = FOLDERS.map((path) => new URL(path, import.meta.url)).find((url) =>
    existsSync(new URL('manifest.json', url)),
  )
  if (folder === undefined) throw new Error('The assets are missing: npm run build')
  const manifest = JSON.parse(readFileSync(new URL('manifest.json', folder), 'utf8')) as Manifest
  known = { folder, manifest }
  return known
}

/** The address of an asset: `dashboard.css`, `dashboard.js` or `inter.woff2`. */
export function assetPath(name: string): string {
  return `/assets/${openAssets().manifest[name] ?? name}`
}

/** A file for the browser. */
export interface Asset {
  readonly body: Uint8Array<ArrayBuffer>
  readonly type: string
  readonly encoding: 'br' | 'gzip' | undefined
}

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  woff2: 'font/woff2',
}

/**
 * Reads an asset by its hashed name, in the smallest encoding that the browser accepts. Undefined if
 * there is no such asset.
 */
export function readAsset(file: string, acceptEncoding: string): Asset | undefined {
  const { folder, manifest } = openAssets()
  const type = TYPES[file.split('.').at(-1) ?? '']
  if (type === undefined || !Object.values(manifest).includes(file)) return undefined
  const encodings = [
    ['br', '.br'],
    ['gzip', '.gz'],
    [undefined, ''],
  ] as const
  for (const [encoding, suffix] of encodings) {
    const isTaken = encoding === undefined || acceptEncoding.includes(encoding)
    const url = new URL(file + suffix, folder)
    if (isTaken && existsSync(url))
      return { body: new Uint8Array(readFileSync(url)), type, encoding }
  }
  return undefined
}
