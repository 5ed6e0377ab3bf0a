import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DnsSite } from '../support/dns-site.ts';
import { executablePath, run } from '../support/executable.ts';
import { NODES, requireNodes } from '../support/nodes.ts';

const V4 = '192.0.2.1';
const V6 = '2001:db8::1';
const BOTH = ['-a', V4, '-a', V6, '--rise', '1', '--fall', '1'];

let site: DnsSite;
let cache: string;
beforeAll(async () => {
  requireNodes();
  site = await DnsSite.create();
});
afterAll(async () => {
  await site.dispose();
});
let caches = 0;
beforeEach(() => {
  cache = path.join(site.folder, `cache-${(caches += 1)}`);
});

/** A pass as the units run it: with Node's own compile cache. */
async function pass(node: string, args: readonly string[] = BOTH): Promise<unknown> {
  const { exitCode, stdout, stderr } = await site.probe(args, {
    node,
    env: { NODE_COMPILE_CACHE: cache },
  });
  return { node, exitCode, stdout, stderr };
}

function fine(node: string): unknown {
  return { node, exitCode: 0, stdout: '', stderr: '' };
}

/** All files beneath a folder. */
function filesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(folder, name))
    .filter((file) => lstatSync(file).isFile());
}

describe('a Node that changes between two passes', () => {
  test('changes nothing, whichever follows which, over one state and one cache', async () => {
    await site.advertise(BOTH);
    const { transitions } = site.state();
    for (const node of [...NODES, ...[...NODES].reverse(), ...NODES]) {
      expect(await pass(node)).toEqual(fine(node));
    }
    expect(site.state()).toMatchObject({ transitions, advertising: true });
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`, `${V6}/128`]);
    // Node did keep something, so that the rest of this file is about something.
    expect(filesIn(cache).length).toBeGreaterThan(0);
  });

  test('keeps nothing beside the state that is ever run', async () => {
    await site.advertise(BOTH);
    for (const node of NODES) await pass(node);
    expect(site.stateFiles()).toEqual(['dns-probe.json']);
    for (const file of filesIn(site.stateDir)) expect(lstatSync(file).mode & 0o111).toBe(0);
  });
});

describe("Node's compile cache", () => {
  const spoilers: readonly (readonly [what: string, spoil: (file: string) => void])[] = [
    [
      'with one bit flipped in the middle',
      (file) => {
        const bytes = readFileSync(file);
        const at = bytes.length >> 1;
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        writeFileSync(file, bytes);
      },
    ],
    [
      'with one bit flipped at its beginning',
      (file) => {
        const bytes = readFileSync(file);
        bytes[40] = (bytes[40] ?? 0) ^ 0x10;
        writeFileSync(file, bytes);
      },
    ],
    [
      'cut in half',
      (file) => {
        truncateSync(file, lstatSync(file).size >> 1);
      },
    ],
    [
      'empty',
      (file) => {
        truncateSync(file, 0);
      },
    ],
    [
      'of garbage',
      (file) => {
        writeFileSync(file, Buffer.alloc(100_000, 0x5a));
      },
    ],
  ];
  // Node 20 has none (it came with Node 22.1).
  const caching = NODES.filter((node) => /nodes\/2[246]\//.test(node));

  test.each(spoilers)('%s changes nothing but time', async (_what, spoil) => {
    for (const node of caching) {
      await site.advertise(BOTH);
      await pass(node);
      await pass(node);
      const files = filesIn(cache);
      expect({ node, kept: files.length > 0 }).toEqual({ node, kept: true });
      for (const file of files) spoil(file);
      expect(await pass(node)).toEqual(fine(node));
      expect(await pass(node)).toEqual(fine(node));
    }
  });

  test('of another Node in its place changes nothing', async () => {
    for (const node of caching) await pass(node);
    const kept = filesIn(cache).map((file) => [file, readFileSync(file)] as const);
    for (const [index, [file]] of kept.entries()) {
      const [, other] = kept[(index + 1) % kept.length] ?? [];
      if (other !== undefined) writeFileSync(file, other);
    }
    for (const node of caching) expect(await pass(node)).toEqual(fine(node));
  });

  test('where it cannot be kept, nothing changes', async () => {
    writeFileSync(cache, 'no folder');
    for (const node of NODES) expect(await pass(node)).toEqual(fine(node));
  });

  test('is not handed to what is started', async () => {
    for (const node of NODES) {
      const command = ['--', 'sh', '-c', 'echo "cache: ${NODE_COMPILE_CACHE-none}"'];
      const { stdout } = await run('exec-probe', command, {
        node,
        env: { NODE_COMPILE_CACHE: cache },
      });
      expect(stdout).toBe('up: sh: cache: none\n');
    }
  });
});

describe('what is not a whole program is no verdict', () => {
  test('cut in half: exit 1 and a word on stderr, and the kernel stays as it is', async () => {
    await site.advertise(BOTH);
    const before = site.state();
    const text = readFileSync(executablePath('dns-probe'), 'utf8');
    const half = path.join(site.folder, 'half');
    for (const share of [0.1, 0.5, 0.99, 0.9999]) {
      writeFileSync(half, text.slice(0, Math.floor(text.length * share)), { mode: 0o755 });
      for (const node of NODES) {
        const options = { node, namespace: site.namespace };
        const { exitCode, stderr } = await run(half, site.args(BOTH), options);
        expect({ share, node, exitCode }).toEqual({ share, node, exitCode: 1 });
        expect(stderr).toContain('SyntaxError');
      }
    }
    expect(site.state()).toEqual(before);
    expect(await site.namespace.serviceAddresses()).toHaveLength(2);
  });

  test('within exec-probe: unknown, and the address stays', async () => {
    const folder = path.join(site.folder, 'cut');
    mkdirSync(folder);
    const cut = path.join(folder, 'dns-probe');
    writeFileSync(cut, readFileSync(executablePath('dns-probe'), 'utf8').slice(0, 100_000), {
      mode: 0o755,
    });
    const args = [...site.args(['-i', 'outer', '-a', '192.0.2.9', '--rise', '1', '--fall', '1'])];
    const options = { namespace: site.namespace };
    expect((await run('exec-probe', [...args, '--', 'true'], options)).exitCode).toBe(0);
    const { exitCode, stderr } = await run('exec-probe', [...args, '--', cut], options);
    expect(exitCode).toBe(69);
    expect(stderr).toContain('unknown (reported)');
    expect(await site.namespace.serviceAddresses()).toContain('192.0.2.9/32');
  });
});
