/** An object in a listing. */
export interface ObjectInfo {
  readonly key: string
  readonly sizeBytes: number
  /** When it was created, by the store's clock. */
  readonly modifiedAt: Date
}

/**
 * The only way to a zone's objects. Keys are printable and separated by `/`; no part begins with a
 * dot. There are two kinds, a directory and an S3 bucket. One contract suite
 * (`object-store.contract.ts`) tests both: an object is created whole or not at all, exactly once,
 * and never changes afterwards (I3).
 */
export interface ObjectStore {
  /** The store's name in messages: a path or `s3://…`. It holds no credentials. */
  readonly location: string
  /** Reads a small object whole; `undefined` if it does not exist. */
  get(key: string): Promise<Buffer | undefined>
  /**
   * Creates an object, or leaves the existing object unchanged. `created`: this very call stored
   * it, even if the first answer was lost and the call had to ask again. `exists`: another call
   * stored an object under this key, equal or not.
   */
  putIfAbsent(key: string, body: Buffer): Promise<'created' | 'exists'>
  /**
   * Like `putIfAbsent`, for a local file of any size. Leaves the file in place. From then on, the
   * caller may remove the file but not change it, because it may be the object itself under a second
   * name.
   */
  uploadIfAbsent(key: string, path: string): Promise<'created' | 'exists'>
  /**
   * Returns the path of a local file with the object's content: the object itself if the store is
   * local, otherwise a copy in `cacheDir`. Throws `ContractError` (`LAKE_OBJECT_MISSING`) if the
   * object does not exist.
   */
  download(key: string, cacheDir: string): Promise<string>
  /** Lists every object below a prefix, in key order, however many there are. */
  list(prefix: string): AsyncIterable<ObjectInfo>
  /**
   * Removes an object. Does nothing if it does not exist. Only for objects that no commit record
   * names (I3). Throws `ConfigError` if the store refuses deletions.
   */
  remove(key: string): Promise<void>
  /**
   * Finds uploads that were cut off and last written before a moment, and returns their sizes in
   * bytes. With `remove`, also removes them. A store that creates objects in one request does not
   * need it.
   */
  sweepUnfinished?(options: { readonly before: Date; readonly remove: boolean }): Promise<number[]>
}

const KEY = /^[A-Za-z0-9%=._-]+(\/[A-Za-z0-9%=._-]+)*$/

/**
 * Whether a text is a valid key: it cannot leave the zone, cannot hide in it, and means the same on
 * every store.
 */
export function isKey(key: string): boolean {
  return KEY.test(key) && !key.split('/').some((part) => part.startsWith('.'))
}

/** Throws `TypeError` if a text is not a valid key. */
export function checkKey(key: string): void {
  if (!isKey(key)) throw new TypeError(`not an object key: ${JSON.stringify(key)}`)
}

/** Throws `TypeError` for a prefix that no key can have. The empty prefix means all objects. */
export function checkPrefix(prefix: string): void {
  if (prefix !== '') checkKey(prefix.replace(/\/$/, ''))
}
