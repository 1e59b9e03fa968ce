import * as z from 'zod'
import { type AddedSettings, type Config, isAddress, whole } from '../platform/config.ts'
import { ConfigError } from '../platform/errors.ts'

const schema = z.object({
  TIDEMARK_RATES_URL: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Address of an exchange-rate server: `https://host`, or `https://host/path` if its pages lie below a path. Not set: the embedded server with the embedded Totesys, otherwise none.',
    ),
  TIDEMARK_RATES_FORMAT: z
    .enum(['ecb', 'freeforexapi'], { error: 'must be ecb or freeforexapi' })
    .default('ecb')
    .describe(
      "Format of that server's answers: `ecb`, the European Central Bank's daily table; `freeforexapi`, live rates.",
    ),
  TIDEMARK_RATES_MINUTES: whole('Minutes between two requests to that server.', {
    min: 1,
    max: 10_080,
  }).default(60),
  TIDEMARK_TOTESYS_ORDERS: whole(
    'About how many sales orders the embedded Totesys starts with. They fill half a year, so more orders mean a busier company.',
    { min: 1, max: 10_000_000 },
  ).default(20_000),
  TIDEMARK_TOTESYS_SEED: whole(
    'Seed of the embedded Totesys. The same seed, size and moment make the same company.',
    {
      min: 0,
      max: 2_147_483_647,
    },
  ).default(42),
  TIDEMARK_TOTESYS_CLOCK: z
    .union([z.iso.datetime({ precision: -1 }), z.iso.datetime()], {
      error: 'must be a moment in UTC, such as 2026-11-29T03:00Z',
    })
    .optional()
    .describe(
      'Start the clock of the embedded Totesys at this moment, such as `2026-11-29T03:00Z`, to look at a night or a weekend. Batches are then dated by this clock, and marked as simulated. Not set: now.',
    ),
  TIDEMARK_TOTESYS_SPEED: whole('Seconds that pass in the embedded Totesys in each real second.', {
    min: 1,
    max: 300,
  }).default(1),
})

/** The settings of Totesys, valid and with every default filled in. */
export type TotesysSettings = z.infer<typeof schema>

/** The settings that Totesys adds to those of the platform: its exchange rates, and its simulation. */
export const totesysSettings: AddedSettings = {
  shape: schema.shape,
  check(config) {
    const { TIDEMARK_RATES_URL: rates } = readTotesysSettings(config)
    if (rates === undefined || isAddress(rates)) return
    throw new ConfigError('TIDEMARK_RATES_URL is not the address of a server', {
      code: 'CONFIG_RATES',
      hint: 'set TIDEMARK_RATES_URL=https://host, without credentials; plain http only on this machine',
    })
  },
}

/** The settings of Totesys in settings that were parsed with them; otherwise their defaults. */
export function readTotesysSettings(config: Config): TotesysSettings {
  return schema.parse(config)
}
