/** A server stream in the schema's types. It only marks such methods; streams are opened by `useStream`. */
export interface Observable<T> {
  readonly message: T;
}
