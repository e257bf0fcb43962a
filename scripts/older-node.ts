// What the tests call and Node 20 does not have. The packages are compiled against the library of Node 20, so
// that they cannot call it.
Promise.withResolvers ??= <T>(): PromiseWithResolvers<T> => {
  let settle: Partial<PromiseWithResolvers<T>> = {};
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { ...settle, promise } as PromiseWithResolvers<T>;
};
