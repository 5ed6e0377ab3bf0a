/** @typedef {import('./topology.mjs').Speaker} Speaker */
/** @typedef {import('./topology.mjs').Layout} Layout */
/** @typedef {readonly (readonly [from: string, to: string])[]} Changes */

/**
 * What speaks in a lab: which files of scripts/routing its nodes and routers run, word for word but
 * for what the files themselves say is to be changed.
 *
 * @typedef {object} Site
 * @property {string} node the file of the nodes; '' where the checker announces by itself
 * @property {string} router the file of the routers
 * @property {readonly string[]} daemons of FRR, behind zebra
 * @property {Changes} [changes] on nodes and routers, before those of OWN
 * @property {Partial<Record<Speaker, Changes>>} [of] on one of them, after those of OWN
 * @property {Layout} [layout] 'row' where it does not say
 */

export const PROTOCOLS = /** @type {const} */ (['ospf', 'bgp', 'isis']);
/** @typedef {typeof PROTOCOLS[number]} Protocol */

const OSPF = { node: 'frr/node.conf', router: 'frr/router.conf', daemons: ['ospfd', 'ospf6d'] };
/** @type {Site} */
const BGP = {
  node: 'frr/bgp-node.conf',
  router: 'frr/bgp-router.conf',
  daemons: ['bgpd'],
  of: { r3: [['! set as-path prepend', ' set as-path prepend']] },
};
const ISIS = { node: 'frr/isis-node.conf', router: 'frr/isis-router.conf', daemons: ['isisd'] };

/**
 * What r3 says of a backup at its node.
 *
 * @type {Changes}
 */
const BACKUP = [
  ['! ip route', 'ip route'],
  ['! ipv6 route', 'ipv6 route'],
];

/** @type {Changes} */
const MULTIPATH = [
  ['! bgp bestpath', ' bgp bestpath'],
  ['maximum-paths 1', 'maximum-paths 2'],
];

/** @type {Changes} */
const BGP_BFD = ['198.51.100.1', '198.51.100.2', '2001:db8:ffff:1000::1', '2001:db8:ffff:1000::2']
  .map((neighbour) => `neighbor ${neighbour} bfd`)
  .map((line) => [`! ${line}`, ` ${line}`]);

/** Neighbours by their addresses, and the links to them. */
const LINKS_OF_NEIGHBOURS = [
  ['bond0', '198.51.100.1', '2001:db8:ffff:1000::1'],
  ['node0', '198.51.100.2', '2001:db8:ffff:1000::2'],
  ['core0', '198.51.100.10', '2001:db8:ffff:1002::2'],
  ['core1', '198.51.100.14', '2001:db8:ffff:1003::2'],
];

/** @type {Changes} */
const UNNUMBERED = [
  ...['external', '65001', '65101'].map(
    (as) => /** @type {const} */ ([` remote-as ${as}\n`, ' interface remote-as external\n']),
  ),
  ...LINKS_OF_NEIGHBOURS.flatMap(([link, ...addresses]) =>
    addresses.map((address) => /** @type {const} */ ([` ${address} `, ` ${link} `])),
  ),
];

/** @type {Changes} */
const REFLECTED = [
  ...['65001', '65101'].flatMap((as) => [
    /** @type {const} */ ([`router bgp ${as}\n`, 'router bgp 65000\n']),
    /** @type {const} */ ([` remote-as ${as}\n`, ' remote-as internal\n']),
  ]),
  [' remote-as external\n', ' remote-as internal\n'],
  ...LINKS_OF_NEIGHBOURS.flatMap(([, ...addresses]) =>
    addresses.flatMap((address) =>
      ['route-reflector-client', 'next-hop-self force'].map(
        (what) =>
          /** @type {const} */ ([`! neighbor ${address} ${what}`, `  neighbor ${address} ${what}`]),
      ),
    ),
  ),
];

/**
 * All that a lab can be, by protocol.
 *
 * @type {Readonly<Record<Protocol, Readonly<Record<string, Site>>>>}
 */
export const SITES = {
  ospf: {
    redistribute: OSPF,
    network: { ...OSPF, node: 'frr/node-network.conf' },
    kernel: { ...OSPF, node: 'frr/node-kernel.conf' },
    bird: {
      ...OSPF,
      node: 'bird/node.conf',
      changes: [['\n ipv6 ospf6 authentication', '\n! ipv6 ospf6 authentication']],
    },
    bfd: {
      ...OSPF,
      daemons: [...OSPF.daemons, 'bfdd'],
      changes: [
        ['! ip ospf bfd', ' ip ospf bfd'],
        ['! ipv6 ospf6 bfd', ' ipv6 ospf6 bfd'],
      ],
    },
    backup: { ...OSPF, daemons: [...OSPF.daemons, 'staticd'], of: { r3: BACKUP } },
  },
  bgp: {
    redistribute: BGP,
    bird: { ...BGP, node: 'bird/bgp-node.conf' },
    bfd: { ...BGP, daemons: ['bgpd', 'bfdd'], changes: BGP_BFD },
    multipath: { ...BGP, layout: 'middle', changes: MULTIPATH, of: {} },
    'one-router': {
      ...BGP,
      layout: 'one-router',
      changes: MULTIPATH,
      of: {
        r1: [
          ['! neighbor 198.51.100.6 ', '  neighbor 198.51.100.6 '],
          ['! neighbor 2001:db8:ffff:1001::2 ', '  neighbor 2001:db8:ffff:1001::2 '],
        ],
        far: [['65003', '65001']],
      },
    },
    unnumbered: { ...BGP, changes: UNNUMBERED },
    reflector: {
      ...BGP,
      changes: REFLECTED,
      of: { r3: [['! set local-preference', ' set local-preference']] },
    },
    backup: {
      ...BGP,
      daemons: [...BGP.daemons, 'staticd'],
      of: { r3: [...(BGP.of?.r3 ?? []), ...BACKUP] },
    },
    exabgp: { ...BGP, node: '' },
  },
  isis: {
    redistribute: ISIS,
    bfd: { ...ISIS, daemons: ['isisd', 'bfdd'], changes: [['! isis bfd', ' isis bfd']] },
  },
};

/**
 * What each one has to change in its file, as the file's head says. Nothing else is changed.
 *
 * @type {Readonly<Record<Speaker, Changes>>}
 */
const OWN = {
  near: [],
  far: [
    ['198.51.100.2', '198.51.100.6'],
    ['198.51.100.0/30', '198.51.100.4/30'],
    ['198.51.100.1 ', '198.51.100.5 '],
    ['2001:db8:ffff:1000::', '2001:db8:ffff:1001::'],
    ['65101', '65102'],
    ['65001', '65003'],
    ['.0002.00', '.0006.00'],
  ],
  r1: [],
  r2: [
    ['10.0.0.1', '10.0.0.2'],
    ['65001', '65002'],
    ['198.51.100.10 ', '198.51.100.9 '],
    ['2001:db8:ffff:1002::2', '2001:db8:ffff:1002::1'],
    ['.0001.00', '.0002.00'],
  ],
  r3: [
    ['10.0.0.1', '10.0.0.3'],
    ['! ip ospf cost 100', ' ip ospf cost 100'],
    ['! ipv6 ospf6 cost 100', ' ipv6 ospf6 cost 100'],
    ['! isis metric 50', ' isis metric 50'],
    ['65001', '65003'],
    ['65101', '65102'],
    ['198.51.100.2', '198.51.100.6'],
    ['2001:db8:ffff:1000::2', '2001:db8:ffff:1001::2'],
    // There is no second router beside it: a link that is not there.
    ['198.51.100.14 ', '198.51.100.18 '],
    ['2001:db8:ffff:1003::2', '2001:db8:ffff:1004::2'],
    ['198.51.100.10 ', '198.51.100.13 '],
    ['2001:db8:ffff:1002::2', '2001:db8:ffff:1003::1'],
    ['.0001.00', '.0003.00'],
  ],
};

/**
 * The text of a file as one of a lab's speakers runs it.
 *
 * @param {string} text
 * @param {Site} site
 * @param {Speaker} role
 */
export function adapted(text, { changes = [], of = {} }, role) {
  return [...changes, ...OWN[role], ...(of[role] ?? [])].reduce(
    (changed, [from, to]) => changed.replaceAll(from, to),
    text,
  );
}

/**
 * @param {Protocol} protocol
 * @param {string} nodes
 * @throws {Error} when there is none of that name
 */
export function siteOf(protocol, nodes) {
  const site = SITES[protocol][nodes];
  if (site === undefined) throw new Error(`there is no configuration '${nodes}' for ${protocol}`);
  return site;
}
