/** What a shell may suggest for a value: words, a kind of table, or a folder. */
export type Values =
  | readonly string[]
  | 'source table'
  | 'database table'
  | 'fact'
  | 'compared table'
  | 'any table'
  | 'folder'

/** An option that overrides a setting for one command. */
export interface SettingOption {
  readonly flags: string
  readonly summary: string
  /** The default, as help shows it. */
  readonly standard: string
  readonly values?: Values | undefined
  /** Whether it may be given several times. The setting then holds all values, with commas. */
  readonly isRepeatable?: true
}

/** Options by the setting that each overrides. */
export type SettingOptions = Readonly<Record<string, SettingOption>>
