export function recordFigures(_: unknown): void {}
