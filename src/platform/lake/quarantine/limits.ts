/** How many refused rows a table may have and still go on without them. */
export interface QuarantineLimits {
  /** A table is held if more than this share of its rows is refused. */
  readonly quarantineShare: number
  /** Up to this many rows, a table is never held for that. */
  readonly quarantineRows: number
}

/**
 * Whether so many of a table's rows are refused that the table itself is at fault: it is then held,
 * or the file refused, as a whole. `rows` counts the refused rows too.
 */
export function areTooMany(
  { rows, refused }: { readonly rows: number; readonly refused: number },
  { quarantineShare, quarantineRows }: QuarantineLimits,
): boolean {
  return rows > quarantineRows && refused > rows * quarantineShare
}

/** Whether this many refused rows can be too many for a table, if it has few enough rows. */
export function canBeTooMany(
  refused: number,
  { quarantineShare, quarantineRows }: QuarantineLimits,
): boolean {
  return refused > quarantineRows * quarantineShare
}
