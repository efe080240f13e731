"""HTTP/1.1 to storage: kept connections, one request at a time on each, answers read whole.

It knows what storage's services say and nothing of storage itself: no redirects, no cookies, no
compression, no proxies. Written here because a general client takes twice the CPU of the request.
"""
