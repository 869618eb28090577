/** Expected failures as values (STYLE section 4). A bug throws instead. */

export type Ok<T> = { readonly ok: true; readonly value: T };
/** An expected failure. */
export type Err<E> = { readonly ok: false; readonly error: E };
/** What a function returns whose failure is expected; a bug throws. */
export type Result<T, E> = Ok<T> | Err<E>;

/** Wraps a success. */
export const ok = <T>(value: T): Ok<T> => ({ ok: true, value });

/** Wraps an expected failure. */
export const err = <E>(error: E): Err<E> => ({ ok: false, error });
