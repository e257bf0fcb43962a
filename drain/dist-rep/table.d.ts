export {};
//# sourceMappingURL=table.d.ts.map