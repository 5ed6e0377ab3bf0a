import { addressLabel, type Advertiser, type Change } from '../../src/lib/advertise/advertiser.ts';
import { withdrawLines } from '../../src/lib/advertise/withdraw-lines.ts';

type Changeable = 'drainInterface' | 'hasDrainInterface' | 'prepareDrain';
type Mutable = { -readonly [Key in keyof Advertiser]: Advertiser[Key] };

/** A kernel in memory: addresses on interfaces, and drain routes. */
export interface FakeAdvertiser extends Omit<Advertiser, Changeable>, Pick<Mutable, Changeable> {
  /** What is there, as `addressLabel` names it. */
  readonly places: Set<string>;
  readonly drainRoutes: Set<string>;
  /** What was applied, as `verb label`, in order. */
  readonly applied: string[];
  obstacle: string | undefined;
  /** Refuses a change by its message; undefined lets it pass. */
  refuse: (change: Change) => string | undefined;
  /** Called before changes are applied. */
  beforeApply: () => void;
  /** Called with the lifetime of an address that moves, in seconds. */
  onMove: (seconds: number) => void;
}

export function fakeAdvertiser(): FakeAdvertiser {
  const places = new Set<string>();
  const drainRoutes = new Set<string>();
  const applied: string[] = [];
  const fake: FakeAdvertiser = {
    kind: 'address',
    canDrain: true,
    drainInterface: undefined,
    hasDrainInterface: () => fake.drainInterface !== undefined,
    prepareDrain: () => Promise.resolve(),
    places,
    drainRoutes,
    applied,
    obstacle: undefined,
    refuse: () => undefined,
    beforeApply: () => undefined,
    onMove: () => undefined,
    read: (asked) =>
      Promise.resolve({
        present: new Set(
          asked.filter((place) => places.has(addressLabel(place))).map(({ address }) => address),
        ),
        moved: new Set(
          [...places]
            .filter((label) => label.endsWith(` dev ${fake.drainInterface ?? ''}`))
            .map((label) => label.replace(/\/.*/, '')),
        ),
        obstacle: fake.obstacle,
      }),
    apply: (changes) => {
      fake.beforeApply();
      const failures = changes.flatMap((change) => {
        const message = fake.refuse(change);
        applied.push(`${change.verb} ${addressLabel(change.place)}`);
        if (message === undefined) make(change, places, drainRoutes);
        if (message === undefined && change.verb === 'move') fake.onMove(change.seconds ?? NaN);
        const notPermitted = message?.includes('not permitted') === true;
        return message === undefined ? [] : [{ change, message, notPermitted }];
      });
      return Promise.resolve(failures);
    },
    withdrawLines: (asked) => withdrawLines('address', asked),
    drained: () => Promise.resolve(new Set(drainRoutes)),
  };
  return fake;
}

function make({ verb, place }: Change, places: Set<string>, drainRoutes: Set<string>): void {
  switch (verb) {
    case 'add':
    case 'renew':
    case 'move':
      places.add(addressLabel(place));
      break;
    case 'remove':
    case 'end-move':
      places.delete(addressLabel(place));
      break;
    case 'drain':
      drainRoutes.add(place.address);
      break;
    case 'end-drain':
      drainRoutes.delete(place.address);
      break;
  }
}
