/** The route patterns of the registry. The `routes` of a fault refer to these. */
export const ROUTES = {
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

/** The route for controlling faults, which is exempt from faults. */
export const FAULTS_ROUTE = '/faults';
