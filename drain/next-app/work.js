// The same work as that of the other frameworks, which is built beside this folder.
export * from '../dist/work.js';
