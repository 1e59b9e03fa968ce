import type { SettingOptions } from '../apps/cli/setting-option.ts'

/** Options of `tidemark up` for the simulated Totesys. Help shows them, so they load nothing. */
export const upOptions: SettingOptions = {
  TIDEMARK_TOTESYS_ORDERS: {
    flags: '--orders <count>',
    summary: 'About how many sales orders fill an empty Totesys',
    standard: '20000',
  },
  TIDEMARK_TOTESYS_SEED: {
    flags: '--seed <number>',
    summary: 'Seed for the contents of Totesys',
    standard: '42',
  },
  TIDEMARK_TOTESYS_CLOCK: {
    flags: '--clock <moment>',
    summary: 'Start the clock of Totesys at this moment, such as 2026-11-29T03:00Z',
    standard: 'now',
  },
  TIDEMARK_TOTESYS_SPEED: {
    flags: '--speed <factor>',
    summary: 'Seconds that pass in Totesys in each real second',
    standard: '1',
  },
}
