"""A stand-in for `func start`, never deployed: runs the function app on this machine.

`python -m devhost` serves the app in the current directory on `http://localhost:7071`, with Azurite
as its storage.

It imitates what the Functions host (version 4, HTTP streaming on) does to functions with HTTP,
timer and queue triggers, as they or their clients can see it.

HTTP:

* routes are tried in the order of the functions' names; the first with the right method wins; the
  rest is 404, never 405;
* catch-all parameters, empty segments, letter case, reserved prefixes; `%2F` stays encoded; dot
  segments are resolved;
* a body with `Content-Length` is read completely before the function starts, a chunked one streams;
* both are bounded by `FUNCTIONS_REQUEST_BODY_SIZE_LIMIT` (2 GiB here) and refused with 500: the one
  before the function starts, the other once the function has had as much as the limit;
* a body that comes with fewer than 240 octets a second, after the first five seconds, is 500;
* `Host` is the address of the worker, and `X-Forwarded-Host`, `-For` and `-Proto` are the host's
  own, as of newer releases; with `FORWARDED_HEADERS=kept` they are the client's, as of older ones;
* a request line above 8 KiB is 414; headers above 32 KiB, or more than 100, are 431; other versions
  than 1.0 and 1.1 are 505;
* no `Host` in HTTP/1.1, two, or a malformed one is 400, as folded headers, spaces before the
  colon and octets above 127 in headers are; an empty `Host`, or none in HTTP/1.0, is 500;
* methods in lower case are served in upper case, and control characters in headers are served;
* `Content-Length` beside `Transfer-Encoding` is disregarded, and reaches the function as
  `x-content-length`; a bad chunk is 500; to `POST` and the like without a body, `Content-Length: 0`
  is added;
* a connection ends if a head is not complete 30 s after its first octet, or the first head 30 s
  after the start of the connection;
* the trailers of a chunked body are dropped; a header sent several times reaches the function as
  one, its values joined by `, `; a `#` in the target is part of it;
* hop-by-hop headers, `x-ms-invocation-id`, `X-Forwarded-Proto`, `DISGUISED-HOST`;
* a function that fails gives 500 before its response has begun, and a reset connection after that;
  what it streamed in the hundredth of a second before does not get out. A response header with
  octets above 127 is such a failure;
* what is left of a body whose request was answered is let in for five seconds, so that the answer
  is not lost;
* `Upgrade: websocket` is never answered;
* `/` is the host's own page with every method, unless `AzureWebJobsDisableHomepage` is `true`, as
  the templates set it, and so does this host; `/admin/…` and `/runtime/…` are 401;
* a request on which nothing moves for 230 s is given up, while its function runs on.

Timers:

* schedules are NCRONTAB in UTC, with NCrontab's own rules: see `devhost.triggers.ncrontab`;
* one call at a time; what is missed during a call makes for one call right after it;
* `run_on_startup`, and `use_monitor`: a time that was missed while no host ran makes for one call
  that is `past_due`, except of timers that fire more than once a minute;
* a function that fails is called again at the next time.

Queues:

* of host.json: `batchSize`, `newBatchThreshold`, `visibilityTimeout`, `maxDequeueCount`,
  `maxPollingInterval`, of which the default is 2 s as in a development environment,
  `messageEncoding`;
* a message is invisible for ten minutes, renewed at half of them for as long as its function runs;
  if this host dies, or is stopped before the function is done, that is when the message comes back;
* a message that fails too often, or is not base64, goes to `<queue>-poison` unchanged. One that is
  not base64 stays there: a function on that queue does not see it;
* without `extensionBundle` in host.json, an app with a queue trigger is refused, in the words that
  the real host writes to its log while it leaves the function out.

For all of them, `%SETTING%` is resolved, `AzureWebJobs.<name>.Disabled` switches a function off,
functions that are not `async` run in a bounded number of threads, and a function that calls
`sys.exit` has failed, without this host's ending.

It does not imitate:

* other triggers: their functions are listed at the start and not run;
* the separate worker process: functions run in this one, so there are no cold starts, no gRPC, no
  isolation of packages, and no scaling out. An `async` function that blocks the event loop holds up
  the triggers as well, and the renewal of messages;
* functions that return anything but a Starlette response, other bindings, `func.Context`, and
  `func.HttpRequest`; a timer or queue function with another binding is refused at the start;
* the host's storage: the status of timers is kept in `DATA_DIR/timers`, and no lock keeps a second
  host on other data from calling the same timers;
* `WEBSITE_TIME_ZONE`, and schedules that are a `TimeSpan`, which only an App Service plan takes;
* queues by identity (`<connection>__queueServiceUri`), which are refused at the start;
* a queue that is not there: it is made, where the real host waits until somebody makes it;
* retry policies (`@app.retry`), and dynamic concurrency;
* route constraints, defaults and optional parameters, which are refused at the start;
* keys and what they open: authorization levels are not enforced, every function is anonymous;
* everything else in host.json, as `functionTimeout`, throttles, custom headers and logging;
* the memory the host spends on a body with `Content-Length`, and its limit on clients that take
  responses slowly;
* releases that let a client choose `x-ms-invocation-id`, and then never answer it;
* the host's parser in the rest: methods that httptools does not know are 400 here, and any
  function's there. If a request comes in one piece with the end of a body in chunks, lower-case
  methods and control characters are 400 in it;
* restarts when a file changes.

Told to stop, it takes on nothing new, and gives what is in progress three seconds. It stops as well
when its parent is gone, and within ten seconds even if a function blocks the event loop.

It runs on Linux and macOS. What it starts ends with it, even if it is killed, and saves its data.
"""
