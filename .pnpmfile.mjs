// What pnpm changes in the manifests of others while it installs.
export const hooks = {
  readPackage(manifest) {
    // Its output is made with the compiler API, which TypeScript 7 does not have.
    if (manifest.name === 'openapi-typescript') {
      delete manifest.peerDependencies.typescript;
      manifest.dependencies.typescript = '^6.0.3';
    }
    return manifest;
  },
};
