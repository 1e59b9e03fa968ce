/** How many rows of a table may be refused before the whole table is held. */
export interface QuarantineLimits {
  /** A table is held if more than this share of its rows is refused. */
  readonly quarantineShare: number
  /** A table with at most this many rows is never held because of refused rows. */
  readonly quarantineRows: number
}

/**
 * Whether so many rows are refused that the whole table is held, or the whole file refused. `rows`
 * includes the refused rows.
 */
export function areTooMany(
  { rows, refused }: { readonly rows: number; readonly refused: number },
  { quarantineShare, quarantineRows }: QuarantineLimits,
): boolean {
  return rows > quarantineRows && refused > rows * quarantineShare
}

/**
 * Whether this many refused rows are too many for some number of rows. False is final; if true, ask
 * `areTooMany` with the number of rows.
 */
export function canBeTooMany(
  refused: number,
  { quarantineShare, quarantineRows }: QuarantineLimits,
): boolean {
  return refused > quarantineRows * quarantineShare
}
