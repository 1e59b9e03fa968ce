import type { Config } from '../../platform/config.ts'
import type { FeedServer } from '../../platform/source/feed-sources.ts'
import { readTotesysSettings } from '../settings.ts'
import { rateAnswers } from './rate-answers.ts'

/** The server of exchange rates that settings name, or else the embedded one; none without either. */
export function rateServers(config: Config, embedded?: string): readonly FeedServer[] {
  const settings = readTotesysSettings(config)
  const url = settings.TIDEMARK_RATES_URL ?? embedded
  if (url === undefined) return []
  const format = rateAnswers[settings.TIDEMARK_RATES_FORMAT]
  const everyMs = settings.TIDEMARK_RATES_MINUTES * 60_000
  return [{ url: new URL(url.replace(/\/$/, '') + format.path), format, everyMs }]
}
