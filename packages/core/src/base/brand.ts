/** Nominal typing: a value that went through its validating constructor. Must not know any domain. */

declare const brand: unique symbol;

/** A `T` that cannot be mistaken for another `T` of different use. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
