import type { Theme } from '../../src/apps/server/charts/theme.ts'

/** A theme with plain colours, for a chart of this width in pixels. */
export function chartTheme(widthPx: number): Theme {
  return {
    paper: '#ffffff',
    ink: '#000000',
    muted: '#666666',
    line: '#dddddd',
    main: '#0000ff',
    series: ['#111111', '#222222'],
    up: '#00ff00',
    down: '#ff0000',
    font: 'sans-serif',
    isStill: true,
    widthPx,
  }
}
