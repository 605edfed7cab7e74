"""What a guest does, told by the kernel command line:
  workload=redis|nginx|churn|counter   (idle never comes here)
  seed=N   the contents of guests with different seeds differ
  ws=MiB   the working set (default: a quarter of the memory)
  address=A   of the network card, if there is one
  rate=N   operations a second: commands, requests, or writes of 64 to 256 bytes
Says GUEST-READY on the console when the working set is in memory, then GUEST-BEAT once a second
with the operations so far and how many of them found something other than had been stored."""
import glob, http.client, mmap, os, random, re, socket, subprocess, time, urllib.parse, zlib

WORDS = dict(word.split("=", 1) for word in open("/proc/cmdline").read().split() if "=" in word)
MEMORY_MIB = int(re.search(r"MemTotal:\s+(\d+)", open("/proc/meminfo").read())[1]) // 1024
WS_BYTES = (int(WORDS.get("ws", 0)) or MEMORY_MIB // 4) << 20
TICKS = 50
rng = random.Random(int(WORDS.get("seed", 1)))
faults = 0


def expect(truth):
    global faults
    faults += not truth


def vocabulary():
    words = set()
    for path in sorted(glob.glob("/usr/lib/python3*/*.py"))[:60]:
        words |= set(re.findall(r"[a-z]{3,11}", open(path, errors="replace").read()))
    return sorted(words)


VOCABULARY = vocabulary()


def record(key):
    """A JSON document of some 400 bytes, as a store of users has them."""
    bits = rng.getrandbits
    words = [VOCABULARY[bits(24) % len(VOCABULARY)] for _ in range(24)]
    name, other, host, street, city = words[:5]
    return (
        f'{{"id":{key},"user":"{name}.{other}","email":"{name}{bits(10)}@{host}.example.com",'
        f'"active":{"true" if bits(1) else "false"},"balance":{bits(14)}.{bits(7) % 100:02},'
        f'"created":"2024-{1 + bits(8) % 12:02}-{1 + bits(8) % 28:02}T{bits(8) % 24:02}:00:00Z",'
        f'"tags":["{words[5]}","{words[6]}","{words[7]}"],"address":{{"street":"{bits(9)} {street}'
        f' street","city":"{city}","zip":"{bits(16):05}"}},"token":"{bits(128):032x}",'
        f'"bio":"{" ".join(words[8:12 + bits(4) % 12])}"}}'
    )


def run_at(default_rate, step):
    """Calls step(count) TICKS times a second for ever, and beats. What was missed stays missed."""
    print("GUEST-READY", WORDS["workload"])
    rate = int(WORDS.get("rate", default_rate))
    due, done, beats = 0.0, 0, 0
    next_tick = time.monotonic()
    next_beat = next_tick + 1
    while True:
        due += rate / TICKS
        if due >= 1:
            step(int(due))
            done += int(due)
            due -= int(due)
        now = time.monotonic()
        if now >= next_beat:
            beats, next_beat = beats + 1, now + 1
            print(f"GUEST-BEAT {beats} operations={done} faults={faults}")
        next_tick = max(next_tick + 1 / TICKS, now)
        time.sleep(max(0.0, next_tick - now))


def encode(*words):
    """A command of Redis."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        parts.append(b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()))
    return b"".join(parts)


def connect(port):
    for _ in range(600):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nobody listens on {port}")


def redis():
    options = ["--save", "", "--appendonly", "no", "--dir", "/var/lib/redis", "--bind", "127.0.0.1"]
    if "address" in WORDS:
        options += [WORDS["address"], "--protected-mode", "no"]
    subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    link = connect(6379)
    answers = link.makefile("rb", 65536)

    def send(commands):
        """Sends (bytes, start of the answer) and checks the answers."""
        link.sendall(b"".join(command for command, _ in commands))
        for _, start in commands:
            line = answers.readline()
            expect(line[:1] in b"+:$")
            if line[:1] == b"$" and line[1:2] != b"-":
                expect(answers.read(int(line[1:]) + 2).startswith(start))

    count = size = 0
    send([(encode("SET", "check", "served"), b"")])
    while size < WS_BYTES:
        commands = []
        for _ in range(200):
            text = record(count)
            commands.append((encode("SET", f"user:{count:08}", text), b""))
            count += 1
            size += len(text)
        send(commands)

    def step(operations):
        commands = []
        for _ in range(operations):
            key, kind = int(rng.random() ** 2 * count), rng.random()
            if kind < 0.5:
                commands.append((encode("GET", f"user:{key:08}"), b'{"id":%d,' % key))
            elif kind < 0.8:
                commands.append((encode("SET", f"user:{key:08}", record(key)), b""))
            elif kind < 0.95:
                commands.append((encode("INCR", f"hits:{key % 5000}"), b""))
            else:
                commands.append((encode("LPUSH", "log", f"{time.time_ns()} GET /{key} 200"), b""))
                commands.append((encode("LTRIM", "log", "0", "9999"), b""))
        send(commands)

    run_at(1000, step)


def nginx():
    open("/run/check", "w").write("served\n")
    open("/run/nginx.conf", "w").write(
        "user root; worker_processes 1; pid /run/nginx.pid; error_log /var/log/nginx/error.log;\n"
        "events {} http { access_log /var/log/nginx/access.log; keepalive_requests 100000;\n"
        "sendfile on; server { listen 127.0.0.1:80; root /; } }\n"
    )
    subprocess.check_call(["nginx", "-c", "/run/nginx.conf"])
    paths = []
    for folder, _, names in os.walk("/usr"):
        paths += [os.path.join(folder, name) for name in sorted(names)]
    paths = [path for path in paths if os.path.isfile(path) and not os.path.islink(path)]
    rng.shuffle(paths)
    # Fills the page cache; only what was read is asked for later.
    files, size = [], 0
    for path in paths:
        content = open(path, "rb").read()
        files.append((urllib.parse.quote(path), zlib.crc32(content)))
        size += len(content)
        if size >= 2 * WS_BYTES:
            break
    link = http.client.HTTPConnection("127.0.0.1", 80)

    def step(operations):
        for _ in range(operations):
            path, checksum = files[int(rng.random() ** 2 * len(files))]
            link.request("GET", path)
            expect(zlib.crc32(link.getresponse().read()) == checksum)

    run_at(100, step)


def churn():
    """Small writes all over a working set; the first eight bytes of a page are its number."""
    memory = mmap.mmap(-1, WS_BYTES)
    text = "\n".join(record(key) for key in range(2000)).encode()
    pool = text[: 512 << 10] + rng.randbytes(128 << 10)
    for at in range(0, WS_BYTES, 4096):
        kind = rng.getrandbits(2)
        if kind < 2:
            start = rng.getrandbits(18)
            memory[at : at + 4096] = pool[start : start + 4096]
        elif kind == 2:
            first = rng.getrandbits(40)
            counters = range(first, first + 512)
            memory[at : at + 4096] = b"".join(n.to_bytes(8, "little") for n in counters)
        else:
            memory[at : at + 300] = pool[:300]
        memory[at : at + 8] = at.to_bytes(8, "little")
    pages = WS_BYTES // 4096
    bits, part = rng.getrandbits, rng.random

    def step(operations):
        for _ in range(operations):
            at = int(part() ** 2 * pages) << 12
            if memory[at : at + 8] != at.to_bytes(8, "little"):
                expect(False)
            length = 64 + bits(16) % 193
            start = bits(24) % (len(pool) - 256)
            at += 8 + bits(16) % (4089 - length)
            memory[at : at + length] = pool[start : start + length]

    run_at(10000, step)


def counter():
    """Tells everybody on its network a number, a higher one each time."""
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    everybody = (WORDS["address"].rsplit(".", 1)[0] + ".255", 7777)
    number = 0

    def step(operations):
        nonlocal number
        for _ in range(operations):
            number += 1
            link.sendto(b"counter %d at %d;" % (number, time.time_ns() // 10**6), everybody)

    run_at(200, step)


WORKLOADS = {"redis": redis, "nginx": nginx, "churn": churn, "counter": counter}
WORKLOADS[WORDS["workload"]]()
