// What the page uses of RxDB. Its modules name others as only a bundler understands; `cargo xtask`
// makes a bundle of them (`site_packages`).

export { addRxPlugin, createRxDatabase } from "rxdb/plugins/core";
export { RxDBMigrationSchemaPlugin } from "rxdb/plugins/migration-schema";
export { getRxStorageDexie } from "rxdb/plugins/storage-dexie";
