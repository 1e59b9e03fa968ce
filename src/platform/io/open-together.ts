/** Makes a part belong to what is being opened, and returns the part. */
export type Keep = <Part extends Partial<AsyncDisposable> | undefined>(part: Part) => Part

/**
 * Opens a thing made of several parts. `work` passes each part to `keep` as soon as it is open.
 * Disposing of the result disposes of the parts, the last first. If `work` fails, they are disposed
 * of at once, and its error is thrown. Every function that opens several things is built with it.
 * Node 20 has no `AsyncDisposableStack`.
 */
export async function openTogether<Made extends object>(
  work: (keep: Keep) => Promise<Made>,
): Promise<Made & AsyncDisposable> {
  const parts: Partial<AsyncDisposable>[] = []
  const dispose = async (): Promise<void> => {
    for (const part of parts.splice(0).toReversed()) await part[Symbol.asyncDispose]?.()
  }
  try {
    const made = await work((part) => {
      if (part !== undefined) parts.push(part)
      return part
    })
    return { ...made, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}
