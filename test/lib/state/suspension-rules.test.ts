import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isEndedBy,
  mayAdvertise,
  maySuspend,
  type Ending,
  type Standing,
} from '../../../src/lib/state/suspension-rules.ts';

const STANDING: Standing = { id: 'a', inForce: true, login: 'alice' };

describe('who may suspend under a name', () => {
  test.each([
    ['nothing stands there', undefined, 'bob', false, 'write'],
    ['what stands there is over', { ...STANDING, inForce: false }, 'bob', false, 'write'],
    ['it is the own one', STANDING, 'alice', false, 'rewrite'],
    ["it is somebody else's", STANDING, 'bob', false, 'refuse'],
    ["it is somebody else's, to be replaced", STANDING, 'bob', true, 'rewrite'],
    ['0.1.0 wrote it, without a login', { ...STANDING, login: undefined }, 'bob', false, 'rewrite'],
  ] as const)('%s', (_what, standing, login, replace, permission) => {
    expect(maySuspend(standing, login, replace)).toBe(permission);
  });
});

/**
 * A model of one instance: what stands under each name, and the rules that decide what becomes of
 * it. Each command has a name and an id of its own, as the executables give them.
 */
type Step =
  | {
      readonly kind: 'suspend';
      readonly login: string;
      readonly name: string;
      readonly replace: boolean;
    }
  | { readonly kind: 'resume'; readonly ending: Exclude<Ending, { kind: 'writer' }> }
  | { readonly kind: 'begin' | 'end' | 'kill'; readonly command: number }
  | { readonly kind: 'expire'; readonly name: string }
  | { readonly kind: 'pass' };

const login = fc.constantFrom('alice', 'bob');
const name = fc.constantFrom('manual', 'night');
const command = fc.integer({ min: 0, max: 2 });
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('suspend' as const), login, name, replace: fc.boolean() }),
    fc.record({
      kind: fc.constant('resume' as const),
      ending: fc.oneof(
        fc.record({ kind: fc.constant('name' as const), holder: name }),
        fc.constant({ kind: 'everyone' as const }),
      ),
    }),
    fc.record({
      kind: fc.constantFrom('begin' as const, 'end' as const, 'kill' as const),
      command,
    }),
    fc.record({ kind: fc.constant('expire' as const), name }),
    fc.constant({ kind: 'pass' as const }),
  ),
  { maxLength: 40 },
) satisfies fc.Arbitrary<Step[]>;

test('whatever two people, three commands, passes and kills do in any order', () => {
  fc.assert(
    fc.property(steps, (taken) => {
      const standing = new Map<
        string,
        { id: string; inForce: boolean; login: string | undefined }
      >();
      let ids = 0;
      let advertised = true;
      const commandNames = new Map<number, string>();
      for (const step of taken) {
        const before = new Map(standing);
        switch (step.kind) {
          case 'suspend': {
            const found = standing.get(step.name);
            const permission = maySuspend(found, step.login, step.replace);
            // Nobody's suspension goes without his doing, or his being replaced by that word.
            if (found?.inForce === true && found.login !== step.login && !step.replace) {
              expect(permission).toBe('refuse');
            }
            if (permission !== 'refuse') {
              standing.set(step.name, { id: String((ids += 1)), inForce: true, login: step.login });
              advertised = false;
            }
            break;
          }
          case 'resume':
            for (const [holder, { id }] of before) {
              if (isEndedBy({ holder, id }, step.ending)) standing.delete(holder);
            }
            break;
          case 'begin': {
            if (commandNames.has(step.command)) break;
            const own = `manual:job:${(ids += 1)}`;
            commandNames.set(step.command, own);
            standing.set(own, { id: String(ids), inForce: true, login: 'alice' });
            advertised = false;
            break;
          }
          case 'end':
          case 'kill': {
            const own = commandNames.get(step.command);
            const written = own === undefined ? undefined : before.get(own);
            commandNames.delete(step.command);
            if (written === undefined) break;
            for (const [holder, { id }] of before) {
              if (isEndedBy({ holder, id }, { kind: 'writer', id: written.id })) {
                standing.delete(holder);
              }
            }
            // A command's end takes its own suspension away, and no other.
            expect([...before.keys()].filter((key) => !standing.has(key))).toEqual([own]);
            break;
          }
          case 'expire': {
            const found = standing.get(step.name);
            if (found !== undefined) standing.set(step.name, { ...found, inForce: false });
            break;
          }
          case 'pass':
            advertised = mayAdvertise([...standing.values()].filter(({ inForce }) => inForce));
        }
        // Never advertised while anybody's suspension is in force.
        if ([...standing.values()].some(({ inForce }) => inForce)) expect(advertised).toBe(false);
      }
    }),
    { numRuns: 2000 },
  );
});
