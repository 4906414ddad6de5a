// What the tests use of Node.js.

declare module "node:assert/strict";
declare module "node:crypto";
declare module "node:fs";
declare module "node:test";
declare module "node:vm";
declare function setImmediate(run: (value: unknown) => void): void;
declare const process: { env: Record<string, string | undefined> };
