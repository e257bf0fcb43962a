/** The addresses of the registry, as route patterns; a fault's `routes` names these. */
export const ADDRESSES = {
  health: '/health',
  packages: '/packages',
  publish: '/packages/publish',
  package: '/packages/:name',
  versions: '/packages/:name/versions',
  resolve: '/packages/:name/resolve',
  version: '/packages/:name/:version',
  download: '/packages/:name/:version/download',
  yank: '/packages/:name/:version/yank',
} as const;

/** Where the faults are switched; it is never hit by one. */
export const FAULTS_ADDRESS = '/faults';
