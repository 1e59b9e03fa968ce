/** Says on stderr what is under way, so that standard output holds figures only. */
export function progress(text: string): void {
  process.stderr.write(`… ${text}\n`)
}
