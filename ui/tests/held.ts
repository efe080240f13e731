/** A promise that the test settles. */
export interface Held<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
}

export function held<T>(): Held<T> {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
