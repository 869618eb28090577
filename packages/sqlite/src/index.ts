export { type Db, type DbOptions, openDb, SqliteFailure, type Statement } from './db.ts';
