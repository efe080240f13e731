"""A stand-in for `func start`, never deployed: runs the function app on this machine.

`python -m devhost` serves the app in the current directory on `http://localhost:7071`, with Azurite
as its storage.

It imitates what the Functions host (version 4, HTTP streaming on) does to HTTP triggers as a client
or function can see it:

* routes are tried in the order of the functions' names; the first with the right method wins; the
  rest is 404, never 405;
* catch-all parameters, empty segments, letter case, reserved prefixes; `%2F` stays encoded; dot
  segments are resolved;
* a body with `Content-Length` is read completely before the function starts, a chunked one streams;
* both are bounded by `FUNCTIONS_REQUEST_BODY_SIZE_LIMIT` (2 GiB here), each refused in the host's
  way;
* hop-by-hop headers, `x-ms-invocation-id`, `X-Forwarded-Proto`, `DISGUISED-HOST`;
* a function that fails gives 500 before its response has begun, and a dropped connection after
  that;
* a request on which nothing moves for 230 s is given up, while its function runs on.

It does not imitate:

* triggers other than HTTP: their functions are listed at the start and not run;
* the separate worker process: functions run in this one, so there are no cold starts, no gRPC, no
  isolation of packages, and no scaling out;
* functions that return anything but a Starlette response, other bindings, and `func.HttpRequest`;
* route constraints, defaults and optional parameters, which are refused at the start;
* keys, `admin/*` and webhooks: authorization levels are not enforced, every function is anonymous;
* the home page: `/` without a function is 404;
* `functionTimeout`, throttles, custom headers and logging of host.json: only `routePrefix` is read;
* the memory the host spends on a body with `Content-Length`, its limits on request lines, headers
  and slow uploads;
* restarts when a file changes.

It runs on Linux and macOS. On Linux, what it starts ends with it even if it is killed; on macOS
only if it is stopped.
"""
