const MOMENT =
  /^(?<day>\d{4}-\d\d-\d\d)(?:[T ](?<minute>\d\d:\d\d)(?::(?<second>\d\d)(?:\.(?<fraction>\d{1,9}))?)?(?<zone>Z|[+-]\d\d(?::?\d\d)?)?)?$/i

/**
 * A date or a moment (ISO 8601) in UTC with microseconds, such as `2026-11-01T11:00:00.000000Z`, so
 * that two such texts compare as their moments do. A day means its end, as on the pages. Without a
 * zone it is UTC. What is finer than a microsecond is cut off. Undefined for any other text, and for a day or a
 * time that does not exist.
 */
export function parseIsoMoment(text: string): string | undefined {
  const parts = MOMENT.exec(text.trim())?.groups
  if (parts === undefined) return undefined
  const { day, minute, second = '00', fraction = '', zone = 'Z' } = parts
  if (minute === undefined) return parseIsoMoment(`${day}T23:59:59.999999`)
  const written = `${day}T${minute}:${second}`
  const local = new Date(`${written}Z`)
  // JavaScript takes 24:00 and, in some years, the 30th of February for the day after.
  if (Number.isNaN(local.getTime()) || !local.toISOString().startsWith(written)) return undefined
  const offset = offsetMs(zone)
  if (offset === undefined) return undefined
  const moment = new Date(local.getTime() - offset).toISOString()
  // Before the year 0 and after 9999 the text has another form.
  if (!/^\d{4}-/.test(moment)) return undefined
  return `${moment.slice(0, 19)}.${fraction.padEnd(6, '0').slice(0, 6)}Z`
}

/** How far a zone such as `+01:00`, `-0330` or `+01` is ahead of UTC; undefined if none is so far. */
function offsetMs(zone: string): number | undefined {
  const [, sign, hours, minutes = '00'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? []
  if (hours === undefined) return 0
  if (Number(hours) > 15 || Number(minutes) > 59) return undefined
  const offset = (Number(hours) * 60 + Number(minutes)) * 60_000
  return sign === '-' ? -offset : offset
}
