/** 12345 → `12,345`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-GB')
}

/** `1 row`, `2 rows`; a plural that is not the noun with an s is given. */
export function formatNumber(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`
}

const MAX_CELL_CHARS = 60

/** Text for a line of a list, or of another length: if it is too long, it ends in `…`. */
export function shorten(text: string, maxChars = MAX_CELL_CHARS): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars - 1)}…`
}

/** Milliseconds as people say them: `0.4 s`, `12 s`, `3 min`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(durationMs: number): string {
  const seconds = Math.max(0, durationMs) / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 100) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** Bytes as people say them: `812 B`, `4.2 kB`, `128 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let [size, unit] = [bytes, 0]
  while (size >= 999.5 && unit < units.length - 1) [size, unit] = [size / 1000, unit + 1]
  return `${size < 10 && unit > 0 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`
}

/** An ISO moment as `2026-11-20 10:41:05`, UTC. */
export function formatMoment(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ')
}

/** `5s`, `2m`, `1h`, `500ms` or bare seconds, in milliseconds; `undefined` for anything else. */
export function parseDuration(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s*(ms|s|m|min|h)?$/.exec(text.trim())
  if (found === null) return undefined
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 }
  const milliseconds = Number(found[1]) * (units[found[2] ?? 's'] ?? 1000)
  return milliseconds > 0 && milliseconds <= 86_400_000 ? milliseconds : undefined
}

/** Rows of cells as aligned columns; numbers to the right. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const all = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const isNumeric = header.map((_, column) =>
    rows.every((row) => /^[\d,.–-]*$/.test(row[column] ?? '')),
  )
  return all
    .map((row) =>
      row
        .map((cell, column) =>
          isNumeric[column] === true
            ? cell.padStart(widths[column] ?? 0)
            : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
