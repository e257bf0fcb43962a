// Loaded into a service under test, with --expose-gc: at each SIGUSR2 it says how much memory lives.
process.on('SIGUSR2', () => {
  globalThis.gc();
  globalThis.gc();
  process.stderr.write(`heap: ${process.memoryUsage().heapUsed}\n`);
});
