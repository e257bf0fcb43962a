import { dirname } from 'node:path';

/** @type {import('next').NextConfig} */
export default {
  // The modules are found from the root of the repository.
  turbopack: { root: dirname(dirname(import.meta.dirname)) },
  compress: false,
  poweredByHeader: false,
};
