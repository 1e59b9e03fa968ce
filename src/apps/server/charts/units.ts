/** A value for a tooltip, rounded to cents; text stays unchanged. */
export function formatAmount(value: unknown): string {
  const number = Number(value)
  return Number.isFinite(number)
    ? number.toLocaleString('en-GB', { maximumFractionDigits: 2 })
    : String(value)
}

/** Whether a unit or a name is the code of a currency, such as `GBP`. */
export function isCurrency(text: string): boolean {
  return /^[A-Z]{3}$/.test(text)
}

/** A value for a tooltip with its unit: `GBP 1,234.50`, `12,100 bags`. Text stays unchanged. */
export function formatInUnit(value: unknown, unit: string | undefined): string {
  if (unit === undefined || value === '' || !Number.isFinite(Number(value))) {
    return formatAmount(value)
  }
  if (!isCurrency(unit)) return `${formatAmount(value)} ${unit}`
  const amount = Number(value).toLocaleString('en-GB', {
    minimumFractionDigits: 2,
    maximumFractionDigits: 2,
  })
  return `${unit} ${amount.replace('-', '−')}`
}
