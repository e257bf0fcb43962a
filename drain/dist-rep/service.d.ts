export {};
//# sourceMappingURL=service.d.ts.map