import { formatDuration, formatMomentUtc, shorten } from '../format.ts'
import { CALM_MS, type Ended, type Episode, type Notice } from './episodes.ts'

/** A message, before a channel gives it its form. */
export interface Message {
  /** One line without control characters. */
  readonly subject: string
  readonly text: string
}

const MAX_SUBJECT = 150

/**
 * The message about what changed. Its subject says the most important of it; its text says for each
 * cause what happened, to what, what is safe and the next command, and how long it lasted if it is
 * over. Pure.
 */
export function writeMessage(
  { begun, over, lasting }: Notice,
  { project, now, host }: { project: string; now: Date; host: string },
): Message {
  const parts = [
    ...begun.map(describeBegun),
    ...(over.length === 0 ? [] : [['Over:', ...over.map(describeOver)].join('\n')]),
    ...(lasting.length === 0
      ? []
      : [
          ['Still:', ...lasting.flatMap((episode) => describeLasting(episode, { now }))].join('\n'),
        ]),
    `Sent by Tidemark on ${host} at ${formatMomentUtc(now.toISOString())}.`,
  ]
  return {
    subject: subjectLine(project, summarize({ begun, over, lasting })),
    text: `${parts.join('\n\n')}\n`,
  }
}

/** `[Tidemark] <project>: <what>`, as one line. */
export function subjectLine(project: string, what: string): string {
  const line = `[Tidemark] ${project}: ${what}`
  return shorten(oneLine(line), MAX_SUBJECT)
}

function summarize({ begun, over, lasting }: Notice): string {
  const several = (first: string, { length }: readonly unknown[]): string =>
    length < 2 ? first : `${first}, and ${length - 1} more`
  const [first] = begun
  if (first !== undefined) {
    const again = first.returns > 0 ? ' again' : ''
    return several(`${first.subject}${again}`, begun)
  }
  const [ended] = over
  if (ended !== undefined) return several(`over: ${ended.subject}`, over)
  return several(`still: ${lasting[0]?.subject ?? ''}`, lasting)
}

function describeBegun({ says, detail, safe, next, returns }: Episode): string {
  const calm = formatDuration(CALM_MS)
  const again =
    returns === 0
      ? []
      : [
          `Note: this comes back again and again. You hear of it once it is away for ${calm}, or after a day.`,
        ]
  return [says, detail, ...again, `Safe: ${safe}`, `Next: ${next}`].map(oneLine).join('\n')
}

function describeOver({ subject, since, endedAt }: Ended): string {
  const lasted = formatDuration(Date.parse(endedAt) - Date.parse(since))
  return oneLine(`- ${subject}; over since ${formatMomentUtc(endedAt)}, after ${lasted}`)
}

function describeLasting({ detail, since, next }: Episode, { now }: { now: Date }): string[] {
  const lasts = formatDuration(now.getTime() - Date.parse(since))
  return [
    oneLine(`- ${detail} (known since ${formatMomentUtc(since)}, for ${lasts})`),
    oneLine(`  Next: ${next}`),
  ]
}

/** Names from the source may hold line breaks and signs that change how a text is read. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
}
