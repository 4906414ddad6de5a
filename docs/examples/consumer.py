"""Keeps Memcached up to date from the stream: consumer.py REDIS_URL MEMCACHED_HOST:PORT"""
import json, re, sys
import pymemcache, redis
from urllib.parse import quote

database = redis.Redis.from_url(sys.argv[1], decode_responses=True)
cache = pymemcache.Client(sys.argv[2], encoding="utf-8", allow_unicode_keys=True, default_noreply=False)
encode = lambda text: re.sub(r"[%:\s\x00-\x1f\x7f-\x9f]", lambda char: quote(char[0], safe=""), text)
to_json = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
try:
    database.xgroup_create("idb:events", "python", id="0", mkstream=True)
except redis.ResponseError:
    pass  # it is there
start = "0"  # first what this consumer was given and has not acknowledged, then what is new
while True:
    for _, entries in database.xreadgroup("python", "one", {"idb:events": start}, count=100, block=1000):
        start = entries[-1][0] if entries and start != ">" else ">"
        for entry, fields in entries:
            event = json.loads(fields["event"] if fields else '{"op": "t"}')  # none: the stream was cut
            # "t" and "s" are about whole stores; a "d" or "c" per record follows. What is late is most likely older.
            if event["op"] in "curd" and not event["source"].get("late"):
                place = [event["source"][part] for part in ("origin", "database", "store")]
                name = ":".join(["idb", *map(encode, [*place, to_json(event["key"])])])
                cache.delete(name) if event["op"] == "d" else cache.set(name, to_json(event["after"]))
            database.xack("idb:events", "python", entry)
