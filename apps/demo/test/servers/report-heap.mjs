// Preloaded into the service under test with --expose-gc. Prints the live heap size on SIGUSR2.
process.on('SIGUSR2', () => {
  globalThis.gc();
  globalThis.gc();
  process.stderr.write(`heap: ${process.memoryUsage().heapUsed}\n`);
});
