/** Minimal retry: three attempts, transient errors only, exponential delays. */
export async function retryFloor<T>(operation: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await operation();
    } catch (error) {
      if (attempt >= 3 || (error as { code?: unknown }).code !== 'ECONNREFUSED') throw error;
      await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** (attempt - 1)));
    }
  }
}

/** The operation of every row, which resolves asynchronously. */
export const answer = async (): Promise<number> => 1;
