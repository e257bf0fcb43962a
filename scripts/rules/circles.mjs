// Circles in a graph of imports: Tarjan's strongly connected components, and for each edge inside one
// the shortest way back.

/**
 * @param {Map<string, Set<string>>} graph each node with those it leads to
 * @returns {string[][]} the groups of nodes that reach each other, each sorted; a node alone is one only
 *   when it leads to itself
 */
export function findCircles(graph) {
  const index = new Map();
  const low = new Map();
  const stack = [];
  const onStack = new Set();
  const circles = [];

  // An explicit stack, as a long chain of imports would overflow that of a recursion.
  const enter = (node) => {
    index.set(node, index.size);
    low.set(node, index.get(node));
    stack.push(node);
    onStack.add(node);
    return { node, rest: [...(graph.get(node) ?? [])] };
  };
  for (const root of graph.keys()) {
    if (index.has(root)) continue;
    const frames = [enter(root)];
    while (frames.length > 0) {
      const { node, rest } = frames.at(-1);
      const next = rest.pop();
      if (next !== undefined) {
        if (!index.has(next)) frames.push(enter(next));
        else if (onStack.has(next)) low.set(node, Math.min(low.get(node), index.get(next)));
        continue;
      }
      frames.pop();
      const parent = frames.at(-1)?.node;
      if (parent !== undefined) low.set(parent, Math.min(low.get(parent), low.get(node)));
      if (low.get(node) !== index.get(node)) continue;
      const members = stack.splice(stack.indexOf(node));
      for (const member of members) onStack.delete(member);
      if (members.length > 1 || graph.get(node)?.has(node)) circles.push(members.sort());
    }
  }
  return circles.sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

/** Shortest path between two nodes, both included; undefined when there is none. */
export function shortestPath(graph, from, to) {
  const cameFrom = new Map([[from, undefined]]);
  const queue = [from];
  for (const node of queue) {
    if (node === to) {
      const path = [];
      for (let at = to; at !== undefined; at = cameFrom.get(at)) path.unshift(at);
      return path;
    }
    for (const next of graph.get(node) ?? []) {
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, node);
      queue.push(next);
    }
  }
  return undefined;
}
