export interface ObjectInfo {
  readonly key: string
  readonly sizeBytes: number
  /** When it was created, by the store's clock. */
  readonly modifiedAt: Date
}

/**
 * The only way to a zone's objects. Keys are `/`-separated, printable, and no part of one begins
 * with a dot.
 * Two kinds exist, a directory and an S3 bucket, held to one contract suite
 * (`object-store.contract.ts`): an object is created whole or not at all, exactly once, and never
 * changes afterwards (I3).
 */
export interface ObjectStore {
  /** What to call it in messages: a path or `s3://…`; holds no credentials. */
  readonly location: string
  /** A small object, whole; `undefined` when there is none. */
  get(key: string): Promise<Buffer | undefined>
  /**
   * Creates an object, or leaves the one that is there and says so. `created` means that this very
   * call stored it, also when the first answer was lost and the call had to ask again; an equal
   * object that another call stored `exists`.
   */
  putIfAbsent(key: string, body: Buffer): Promise<'created' | 'exists'>
  /** The same for a local file of any size, streamed. The file stays where it is. */
  uploadIfAbsent(key: string, path: string): Promise<'created' | 'exists'>
  /**
   * A path of a local file with the object's content: the object itself where the store is local,
   * otherwise a copy in `cacheDir`. Throws `ContractError` when there is no such object.
   */
  download(key: string, cacheDir: string): Promise<string>
  /** Every object below a prefix in key order, however many there are. */
  list(prefix: string): AsyncIterable<ObjectInfo>
  /**
   * Removes an object; does nothing if there is none. Only for objects that no commit record names
   * (I3). Throws `ConfigError` if the store refuses deletions.
   */
  remove(key: string): Promise<void>
  /**
   * Finds uploads that were cut off and last written before a moment, removes them with `remove`,
   * and returns their sizes in bytes. A store that creates objects in one request does not need it.
   */
  sweepUnfinished?(options: { readonly before: Date; readonly remove: boolean }): Promise<number[]>
}

const KEY = /^[A-Za-z0-9%=._-]+(\/[A-Za-z0-9%=._-]+)*$/

/** Whether a key can neither leave the zone nor hide in it nor mean something else on another store. */
export function isKey(key: string): boolean {
  return KEY.test(key) && !key.split('/').some((part) => part.startsWith('.'))
}

/** Refuses what is no key. */
export function checkKey(key: string): void {
  if (!isKey(key)) throw new TypeError(`not an object key: ${JSON.stringify(key)}`)
}

/** Refuses a prefix that no key could have. The empty one means everything. */
export function checkPrefix(prefix: string): void {
  if (prefix !== '') checkKey(prefix.replace(/\/$/, ''))
}
