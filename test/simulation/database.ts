/** A row's values as Postgres prints them, by column. */
export type Values = Readonly<Record<string, string | null>>

/** The rows of a table by key. */
export type Rows = ReadonlyMap<string, Values>

/** The rows of every table that are committed at one moment. */
export type CommittedState = Readonly<Record<string, Rows>>

/** The tables of the simulated database. */
export const TABLES = ['customers', 'orders'] as const
export type TableName = (typeof TABLES)[number]

/** One version of a row, as Postgres' heap holds it. */
interface HeapRow {
  readonly key: string
  readonly values: Values
  readonly xmin: bigint
  /** The transaction that deleted or replaced it. */
  xmax: bigint | undefined
}

interface Heap {
  rows: HeapRow[]
  /** The rows of its one partition while that is detached. */
  detached: HeapRow[] | undefined
  /** Columns in their order. */
  columns: string[]
  /** Names the relation and its partitions: changes with each attach, detach and rewrite. */
  identity: number
  /** Transactions that truncated the table. */
  truncatedBy: bigint[]
}

/** A change that a transaction has made and not committed yet. */
interface Write {
  readonly table: TableName
  readonly key: string
  readonly values: Values | undefined
  readonly xid: bigint
}

interface Transaction {
  /** Its first id; undefined until it writes. */
  xid: bigint | undefined
  /** The ids of its savepoints that are open, innermost last. */
  savepoints: { xid: bigint | undefined; writes: number }[]
  writes: Write[]
  isPrepared: boolean
}

/** Everything that a copy of the data directory would hold. */
interface Cluster {
  heaps: Record<TableName, Heap>
  transactions: Map<number, Transaction>
  nextXid: bigint
  wal: bigint
  checkpoint: bigint
  timeline: number
  /** What is committed: the oracle. It is kept by applying each commit, and by nothing else. */
  committed: Record<TableName, Map<string, Values>>
  committedAt: number
}

/** What a snapshot sees: ids below `xmax` that were not open when it was taken. */
export interface Visibility {
  readonly xmin: bigint
  readonly xmax: bigint
  readonly open: ReadonlySet<bigint>
  /** The open transactions' own ids, without those of their savepoints. */
  readonly inFlight: readonly bigint[]
}

const MAX_PAST = 8

/**
 * A Postgres database as far as a reader can tell: versions of rows with transaction ids, savepoints,
 * prepared transactions, truncation, partitions, restarts, restored copies and standbys. Beside it, and
 * independent of it, stands what is committed. All its time is simulated.
 */
export class SimulatedDatabase {
  #cluster: Cluster
  /** Clusters as they were after the last commits, newest last: what a standby may show. */
  #past: Cluster[] = []
  #copy: Cluster | undefined
  /** How many commits the server that is read lags behind; undefined for the primary itself. */
  #lag: number | undefined
  #now = Date.UTC(2026, 0, 1)
  #startedAt = this.#now
  /** Sessions end with the server that they were opened on. */
  session = 0

  constructor() {
    const heap = (columns: string[]): Heap => ({
      rows: [],
      detached: undefined,
      columns,
      identity: 1,
      truncatedBy: [],
    })
    this.#cluster = {
      heaps: {
        customers: heap(['id', 'name', 'changed_at']),
        orders: heap(['id', 'customer_id', 'units', 'changed_at']),
      },
      transactions: new Map(),
      nextXid: 1000n,
      wal: 0x100000n,
      checkpoint: 0x100000n,
      timeline: 1,
      committed: { customers: new Map(), orders: new Map() },
      committedAt: this.#now,
    }
    this.#remember()
  }

  /** Passes time, and returns the moment: never the same twice. */
  tick(ms = 1): number {
    this.#now += ms
    return this.#now
  }

  /** The cluster that a reader is connected to. */
  get #read(): Cluster {
    if (this.#lag === undefined) return this.#cluster
    return this.#past.at(-1 - this.#lag) ?? this.#past[0] ?? this.#cluster
  }

  get isStandby(): boolean {
    return this.#lag !== undefined
  }

  /** What is committed on the server that is read. */
  committed(): CommittedState {
    const { committed } = this.#read
    return { customers: new Map(committed.customers), orders: new Map(committed.orders) }
  }

  /** The server's evidence of its history, at this moment. */
  evidence(): { wal: bigint; checkpoint: bigint; timeline: number; startedAt: number; at: number } {
    const { wal, checkpoint, timeline, committedAt } = this.#read
    const at = this.tick()
    return {
      wal,
      checkpoint,
      timeline,
      startedAt: this.#startedAt,
      at: this.isStandby ? committedAt : at,
    }
  }

  snapshot(): Visibility {
    const { transactions, nextXid } = this.#read
    const open = new Set<bigint>()
    const inFlight: bigint[] = []
    for (const { xid, writes, savepoints } of transactions.values()) {
      if (xid === undefined) continue
      inFlight.push(xid)
      for (const id of [xid, ...writes.map((write) => write.xid)]) open.add(id)
      for (const { xid: id } of savepoints) if (id !== undefined) open.add(id)
    }
    inFlight.sort((a, b) => (a < b ? -1 : 1))
    return { xmin: inFlight[0] ?? nextXid, xmax: nextXid, open, inFlight }
  }

  /** The id that the next transaction gets on the server that is read. */
  get nextXid(): bigint {
    return this.#read.nextXid
  }

  /** The rows that a snapshot sees, with their xmin. A table that was truncated since looks empty. */
  visible(table: TableName, snapshot: Visibility): { key: string; values: Values; xmin: bigint }[] {
    const { heaps } = this.#read
    // What a rollback undoes is taken out of the heap, so every other id below has committed.
    const sees = (xid: bigint) => xid < snapshot.xmax && !snapshot.open.has(xid)
    return heaps[table].rows.filter(
      ({ xmin, xmax }) => sees(xmin) && (xmax === undefined || !sees(xmax)),
    )
  }

  /** Columns and identity of a table. */
  describe(table: TableName): { columns: readonly string[]; identity: number } {
    const { columns, identity } = this.#read.heaps[table]
    return { columns, identity }
  }

  /** Whether a table was truncated by a transaction that a snapshot does not see. */
  isTruncatedSince(table: TableName, snapshot: Visibility): boolean {
    return this.#read.heaps[table].truncatedBy.some(
      (xid) => xid >= snapshot.xmax || snapshot.open.has(xid),
    )
  }

  begin(tx: number): void {
    if (this.#cluster.transactions.has(tx)) return
    const begun = { xid: undefined, savepoints: [], writes: [], isPrepared: false }
    this.#cluster.transactions.set(tx, begun)
  }

  /**
   * Writes a row in an open transaction; without values, deletes it. Does nothing if another
   * transaction has the row locked, because it would wait.
   */
  write(
    tx: number,
    table: TableName,
    { key, change }: { key: string; change: (before: Values | undefined) => Values | undefined },
  ): void {
    const { transactions, heaps } = this.#cluster
    const transaction = transactions.get(tx)
    if (transaction === undefined || transaction.isPrepared) return
    const heap = heaps[table]
    if (this.#isLocked(tx, table, key) || (heap.detached && isOfPartition(key))) return
    const before = this.#seenBy(transaction, table, key)
    const changed = change(before)
    const values = changed && inColumns(changed, heap.columns)
    if (values === undefined && before === undefined) return
    const xid = this.#assignXid(transaction)
    const old = heap.rows.findLast((row) => row.key === key && row.xmax === undefined)
    if (old !== undefined) old.xmax = xid
    if (values !== undefined) heap.rows.push({ key, values, xmin: xid, xmax: undefined })
    transaction.writes.push({ table, key, values, xid })
    this.#cluster.wal += 64n
  }

  savepoint(tx: number): void {
    const transaction = this.#cluster.transactions.get(tx)
    if (transaction === undefined || transaction.isPrepared) return
    transaction.savepoints.push({ xid: undefined, writes: transaction.writes.length })
  }

  rollbackToSavepoint(tx: number): void {
    const transaction = this.#cluster.transactions.get(tx)
    const savepoint = transaction?.savepoints.at(-1)
    if (transaction === undefined || savepoint === undefined || transaction.isPrepared) return
    this.#undo(transaction.writes.splice(savepoint.writes))
    savepoint.xid = undefined
  }

  prepare(tx: number): void {
    const transaction = this.#cluster.transactions.get(tx)
    if (transaction?.xid !== undefined) transaction.isPrepared = true
  }

  rollback(tx: number): void {
    const transaction = this.#cluster.transactions.get(tx)
    if (transaction === undefined) return
    this.#undo(transaction.writes)
    this.#cluster.transactions.delete(tx)
  }

  commit(tx: number): void {
    const transaction = this.#cluster.transactions.get(tx)
    if (transaction === undefined) return
    for (const { table, key, values } of transaction.writes) {
      if (values === undefined) this.#cluster.committed[table].delete(key)
      else this.#cluster.committed[table].set(key, values)
    }
    this.#cluster.transactions.delete(tx)
    if (transaction.xid !== undefined) this.#commitAt()
  }

  /** Empties a table, unless a transaction or a reader keeps it locked. */
  truncate(table: TableName): void {
    if (this.#isInUse(table)) return
    const heap = this.#cluster.heaps[table]
    const xid = this.#cluster.nextXid++
    heap.rows = []
    heap.truncatedBy.push(xid)
    this.#cluster.committed[table].clear()
    this.#commitAt()
  }

  /** Takes every third row out of a table with its partition, or puts these rows back. */
  movePartition(table: TableName, how: 'attach' | 'detach'): void {
    if (this.#isInUse(table)) return
    const heap = this.#cluster.heaps[table]
    const committed = this.#cluster.committed[table]
    if ((how === 'detach') === (heap.detached !== undefined)) return
    if (how === 'detach') {
      heap.detached = heap.rows.filter(({ key }) => isOfPartition(key))
      heap.rows = heap.rows.filter(({ key }) => !isOfPartition(key))
      for (const key of committed.keys()) if (isOfPartition(key)) committed.delete(key)
    } else {
      const rows = heap.detached ?? []
      heap.rows.push(...rows)
      for (const row of rows) if (row.xmax === undefined) committed.set(row.key, row.values)
      heap.detached = undefined
    }
    heap.identity += 1
    this.#cluster.nextXid++
    this.#commitAt()
  }

  /** Adds a column, with a default that no row's version shows, or drops it. */
  alter(table: TableName, { column, value }: { column: string; value: string | null }): void {
    if (this.#isInUse(table)) return
    const heap = this.#cluster.heaps[table]
    const isThere = heap.columns.includes(column)
    heap.columns = isThere
      ? heap.columns.filter((name) => name !== column)
      : [...heap.columns, column]
    const change = (values: Values): Values => {
      const { [column]: _dropped, ...rest } = values
      return isThere ? rest : { ...rest, [column]: value }
    }
    heap.rows = heap.rows.map((row) => ({ ...row, values: change(row.values) }))
    heap.detached = heap.detached?.map((row) => ({ ...row, values: change(row.values) }))
    const committed = this.#cluster.committed[table]
    for (const [key, values] of committed) committed.set(key, change(values))
    this.#cluster.nextXid++
    this.#commitAt()
  }

  /** Uses up transaction ids, as two billion other transactions would. */
  spendXids(count: bigint): void {
    this.#cluster.nextXid += count
    this.#cluster.wal += 64n
  }

  checkpoint(): void {
    this.#cluster.wal += 64n
    this.#cluster.checkpoint = this.#cluster.wal
  }

  /** Stops the server, by a crash or not, and starts it again. */
  restart(): void {
    this.#abortOpen()
    this.#disconnect()
  }

  /** Copies the data directory while the server runs. */
  backup(): void {
    this.#copy = structuredClone(this.#cluster)
  }

  /** Puts the copy back in place of the data directory, and starts the server. */
  restore(): void {
    if (this.#copy === undefined) return
    this.#cluster = structuredClone(this.#copy)
    this.#lag = undefined
    this.#past = []
    this.restart()
    this.#remember()
  }

  /** Promotes a standby that has not replayed the last commits, which are lost. */
  failover(lag: number): void {
    const standby = this.#past.at(-1 - lag)
    if (standby === undefined) return
    this.#cluster = structuredClone(standby)
    this.#cluster.timeline += 1
    this.#lag = undefined
    this.#past = []
    this.restart()
    this.#remember()
  }

  /** Reads from a standby that lags so many commits, or from the primary. */
  readFrom(lag: number | undefined): void {
    this.#lag = lag
    this.#disconnect()
  }

  /** How many readers keep a table locked. */
  readonly locks: Record<TableName, number> = { customers: 0, orders: 0 }

  /** Ends every session: their server is gone, or another one answers now. */
  #disconnect(): void {
    this.#startedAt = this.tick()
    this.session += 1
    for (const table of TABLES) this.locks[table] = 0
  }

  #isInUse(table: TableName): boolean {
    if (this.locks[table] > 0) return true
    return [...this.#cluster.transactions.values()].some(({ writes }) =>
      writes.some((write) => write.table === table),
    )
  }

  #isLocked(tx: number, table: TableName, key: string): boolean {
    return [...this.#cluster.transactions].some(
      ([other, { writes }]) =>
        other !== tx && writes.some((write) => write.table === table && write.key === key),
    )
  }

  #seenBy({ writes }: Transaction, table: TableName, key: string): Values | undefined {
    const own = writes.findLast((write) => write.table === table && write.key === key)
    return own === undefined ? this.#cluster.committed[table].get(key) : own.values
  }

  /** The id for a write: that of the innermost savepoint, which has one of its own. */
  #assignXid(transaction: Transaction): bigint {
    transaction.xid ??= this.#cluster.nextXid++
    const savepoint = transaction.savepoints.at(-1)
    if (savepoint === undefined) return transaction.xid
    savepoint.xid ??= this.#cluster.nextXid++
    return savepoint.xid
  }

  #undo(writes: readonly Write[]): void {
    const undone = new Set(writes.map(({ xid }) => xid))
    for (const heap of Object.values(this.#cluster.heaps)) {
      heap.rows = heap.rows.filter((row) => !undone.has(row.xmin))
      for (const row of heap.rows) {
        if (row.xmax !== undefined && undone.has(row.xmax)) row.xmax = undefined
      }
    }
  }

  #abortOpen(): void {
    for (const [tx, { isPrepared }] of this.#cluster.transactions) {
      if (!isPrepared) this.rollback(tx)
    }
  }

  #commitAt(): void {
    this.#cluster.wal += 64n
    this.#cluster.committedAt = this.tick()
    this.#remember()
  }

  #remember(): void {
    this.#past.push(structuredClone(this.#cluster))
    if (this.#past.length > MAX_PAST) this.#past.shift()
  }
}

/** Whether a row belongs to the partition that comes and goes. */
function isOfPartition(key: string): boolean {
  return Number(key) % 3 === 0
}

function inColumns(values: Values, columns: readonly string[]): Values {
  return Object.fromEntries(columns.map((column) => [column, values[column] ?? null]))
}
