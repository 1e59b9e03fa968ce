import { existsSync, readFileSync } from 'node:fs'

/** What the build wrote: `dist/apps/server/assets`, also for code that runs from its sources. */
const FOLDERS = ['../assets/', '../../../../dist/apps/server/assets/']

interface Manifest {
  /** Names as pages say them → names of the files, which carry a hash of their content. */
  readonly [name: string]: string
}

let known: { folder: URL; manifest: Manifest } | undefined

/** Throws when the assets were not built, which is a fault of the installation. */
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

/** A file by its hashed name, smallest first of what the browser takes; undefined for any other. */
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
