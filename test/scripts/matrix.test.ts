import { expect, test } from 'vitest';
import { renderMatrix, type Run } from '../../scripts/bench.d/matrix/table.mjs';

const NOTHING = { asked: 1000, lostAtMs: [] };

function run(stream: string, lost: Partial<Record<'calm' | 'suspend' | 'resume', number[]>>): Run {
  const count = (part: 'calm' | 'suspend' | 'resume'): { asked: number; lostAtMs: number[] } => ({
    asked: 1000,
    lostAtMs: lost[part] ?? [],
  });
  return {
    service: 'BIND',
    speaker: 'frr',
    played: {
      streams: {
        [stream]: { calm: count('calm'), suspend: count('suspend'), resume: count('resume') },
        'udp v4': { calm: NOTHING, suspend: NOTHING, resume: NOTHING },
      },
      events: [],
      reroutesMs: { suspend: [500], resume: [2000] },
      sockets: {},
      said: '',
      load: 3.4,
    },
  };
}

/** The cells of the only row: of UDP over IPv6, TCP over IPv4, and the load. */
function cells(...runs: readonly Run[]): readonly (string | undefined)[] {
  const row = renderMatrix(runs).split('\n')[1]?.split(/ {2,}/) ?? [];
  return [row[3], row[4], row.at(-1)];
}

test('the matrix shows what was lost while leaving and while returning, and the load', () => {
  expect(cells(run('udp v6', { suspend: [490, 700], resume: [9] }))).toEqual(['2+1', '-', '3']);
});

test('what was lost before anything happened stands in brackets', () => {
  expect(cells(run('udp v6', { calm: [1, 2, 3] }))[0]).toBe('(3)0+0');
});

test('a star stands where all that was lost were connections that a new way tore', () => {
  expect(cells(run('tcp v4', { suspend: [490], resume: [1999] }))[1]).toBe('1*+1*');
  expect(cells(run('tcp v4', { suspend: [490, 600] }))[1]).toBe('2+0');
  expect(cells(run('udp v6', { suspend: [490] }))[0]).toBe('1+0');
});

test('runs of one row stand side by side, and one that failed is a question mark', () => {
  const failed: Run = { service: 'BIND', speaker: 'frr', error: 'Error: no' };
  expect(renderMatrix([run('udp v6', {}), failed]).split('\n')[1]).toContain('0+0 ?');
});
