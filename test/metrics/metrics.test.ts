import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand, type Finished } from '../support/child.ts';
import { Daemon } from '../support/daemon.ts';
import { DnsSite } from '../support/dns-site.ts';
import { ROOT, run } from '../support/executable.ts';
import { isListening } from '../support/listening.ts';
import { until } from '../support/until.ts';

const RULES = path.join(ROOT, 'scripts/metrics/alerts.yml');

let site: DnsSite;
let folder: string;

beforeAll(async () => {
  site = await DnsSite.create();
  folder = path.join(site.folder, 'metrics');
  mkdirSync(folder);
  await site.advertise(['-i', 'one', '-a', '192.0.2.1', '--metrics-dir', folder]);
  await site.advertise(['-i', 'two', '-a', '192.0.2.2', '--metrics-dir', folder]);
});

afterAll(async () => {
  await site.dispose();
});

describe('the metrics', () => {
  test('satisfy promtool', async () => {
    const files = readdirSync(folder);
    expect(files).toEqual(['anycast_ha_one.prom', 'anycast_ha_two.prom']);
    for (const file of files) {
      const input = readFileSync(path.join(folder, file), 'utf8');
      const { exitCode, stdout, stderr } = await runCommand('promtool', ['check', 'metrics'], {
        input,
      });
      expect({ exitCode, output: stdout + stderr }).toEqual({ exitCode: 0, output: '' });
    }
  });

  test('are what node_exporter serves', async () => {
    await site.probe(['-i', 'two', '-a', '192.0.2.2', '--metrics-dir', folder]);
    const suspend = ['--state-dir', site.stateDir, '--drain', '0', 'two'];
    expect((await run('ha-suspend', suspend, { namespace: site.namespace })).exitCode).toBe(0);
    await site.probe(['-i', 'two', '-a', '192.0.2.2', '--metrics-dir', folder]);
    const exporter = await Daemon.start({
      namespace: site.namespace,
      program: 'prometheus-node-exporter',
      args: [
        '--collector.disable-defaults',
        '--collector.textfile',
        `--collector.textfile.directory=${folder}`,
        '--web.listen-address=127.0.0.1:9100',
      ],
      ready: () => isListening(site.namespace, 'tcp', '127.0.0.1:9100'),
    });
    const fetching =
      "fetch('http://127.0.0.1:9100/metrics').then((r) => r.text()).then(console.log)";
    const { stdout } = await site.namespace.exec(process.execPath, ['-e', fetching]);
    await exporter.stop();

    expect(stdout).toContain('node_textfile_scrape_error 0\n');
    const value = (name: string, instance: string): number => {
      const line = new RegExp(`^anycast_ha_${name}\\{instance_name="${instance}"\\} (\\S+)$`, 'm');
      return Number(line.exec(stdout)?.[1]);
    };
    expect(value('up', 'one')).toBe(1);
    expect(value('health_up', 'one')).toBe(1);
    expect(value('advertising', 'one')).toBe(1);
    expect(value('suspended', 'one')).toBe(0);
    expect(value('transitions_total', 'one')).toBe(1);
    expect(value('lease_left_seconds', 'one')).toBeGreaterThan(200);
    expect(value('last_pass_exit_status', 'one')).toBe(0);
    expect(value('last_pass_duration_seconds', 'one')).toBeGreaterThan(0);
    expect(value('last_pass_timestamp_seconds', 'one')).toBeGreaterThan(Date.now() / 1000 - 600);
    expect(value('suspended', 'two')).toBe(1);
    expect(value('advertising', 'two')).toBe(0);
  });
});

describe('the alert rules', () => {
  test('name only metrics that exist', () => {
    const metrics = readFileSync(path.join(folder, 'anycast_ha_one.prom'), 'utf8');
    const named = new Set(readFileSync(RULES, 'utf8').match(/anycast_ha_\w+/g));
    expect(named.size).toBeGreaterThan(3);
    for (const name of named) expect(metrics).toContain(`\n${name}{`);
  });

  test('satisfy promtool, and fire when they should', async () => {
    expect((await runCommand('promtool', ['check', 'rules', RULES])).exitCode).toBe(0);
    const file = path.join(site.folder, 'alerts.yml');
    const tests = readFileSync(path.join(ROOT, 'test/metrics/alerts.yml'), 'utf8');
    writeFileSync(file, tests.replace('RULES', RULES));
    const { exitCode, stdout, stderr } = await runCommand('promtool', ['test', 'rules', file]);
    expect(exitCode, stdout + stderr).toBe(0);
  });
});

describe('ha-status --plugin', () => {
  const NEGATE = '/usr/lib/nagios/plugins/negate';
  const plugin = path.join(ROOT, 'dist/ha-status');

  test('works under a wrapper of monitoring-plugins, as a monitoring system calls it', async () => {
    expect(existsSync(NEGATE)).toBe(true);
    const command = `${NEGATE} -o CRITICAL -w OK -c WARNING -s ${plugin} --plugin --state-dir ${site.stateDir}`;
    const one = await site.namespace.exec('sh', ['-c', `${command} one`]);
    expect(one.exitCode).toBe(2);
    expect(one.stdout).toMatch(/^ANYCAST CRITICAL - 1 advertised \| /);
    const two = await site.namespace.exec('sh', ['-c', `${command} two`]);
    expect(two.exitCode).toBe(0);
    expect(two.stdout).toMatch(/^ANYCAST OK - two: suspended by manual/);
  });

  test('is what check_nrpe gets over the network from an agent without privilege', async () => {
    const file = path.join(site.folder, 'ha-status');
    copyFileSync(plugin, file);
    const settings = path.join(site.folder, 'nrpe.cfg');
    const command = `${process.execPath} ${file} --plugin --state-dir ${site.stateDir}`;
    const commands = ['one', 'two'].map((name) => `command[${name}]=${command} ${name}\n`);
    writeFileSync(
      settings,
      `nrpe_user=nagios\nnrpe_group=nogroup\nallowed_hosts=127.0.0.1\nserver_address=127.0.0.1\n${commands.join('')}`,
    );
    const agent = await Daemon.start({
      namespace: site.namespace,
      program: '/usr/sbin/nrpe',
      args: ['-c', settings, '-f', '-n'],
      ready: () => isListening(site.namespace, 'tcp', '127.0.0.1:5666'),
    });
    const ask = (name: string): Promise<Finished> =>
      site.namespace.exec('/usr/lib/nagios/plugins/check_nrpe', [
        ...['-n', '-2', '-H', '127.0.0.1', '-t', '20', '-c', name],
      ]);
    expect(await ask('one')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^ANYCAST OK - 1 advertised ?\|/) as string,
    });
    expect(await ask('two')).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(/^ANYCAST WARNING - two: suspended by manual ?\|/) as string,
    });
    await agent.stop();
  });

  test('prints one line, with performance data as the guidelines have it', async () => {
    const args = ['--plugin', '--state-dir', site.stateDir];
    const { stdout, exitCode } = await run(plugin, args, { namespace: site.namespace });
    expect(exitCode).toBe(1);
    const [line = '', ...rest] = stdout.split('\n');
    expect(rest).toEqual(['']);
    const [status, performance = ''] = line.split(' | ');
    expect(status).toBe('ANYCAST WARNING - two: suspended by manual');
    // Monitoring Plugins Development Guidelines: 'label'=value[UOM];[warn];[crit];[min];[max]
    const item = /'[^'=]+'=-?[\d.]+(?:us|ms|s|%|B|KB|MB|TB|c)?(?:;[-\d.]*){0,4}/;
    expect(performance).toMatch(new RegExp(`^${item.source}(?: ${item.source})*$`));
  });
});

describe('ha-status --watch', () => {
  test('shows a fresh table each second on a terminal, until it is interrupted', async () => {
    // script(1) gives it a terminal, and starts it by a shell, which says its pid and becomes it.
    const command = `echo "pid $$"; exec ${path.join(ROOT, 'dist/ha-status')} --watch --state-dir ${site.stateDir}`;
    const child = await site.namespace.spawn('script', ['-qefc', command, '/dev/null'], {
      env: { ...process.env, SHELL: '/bin/sh' },
      timeoutMs: 60_000,
    });
    const tables = (): number => child.output.split('\u001b[H').length - 1;
    await until('three tables', () => tables() >= 3);
    expect(child.output).toMatch(/one +advertised +up/);
    process.kill(Number(/^pid (\d+)/.exec(child.output)?.[1]), 'SIGINT');
    expect((await child.finished).exitCode).toBe(0);
  });
});
