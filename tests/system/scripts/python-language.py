"""Python's own library, as far as it leans on C's: numbers, text, times, data formats."""
import array, base64, binascii, bisect, bz2, calendar, collections, csv, ctypes, datetime, decimal, fractions, functools, gzip
import hashlib, heapq, io, itertools, json, locale, lzma, math, cmath, os, pickle, random, re, sqlite3, statistics, string, struct
import sys, textwrap, time, unicodedata, zlib, zoneinfo

print(sys.version_info[:2], sys.byteorder, sys.maxsize, sys.float_info.max, sys.getfilesystemencoding())
print([format(x, spec) for x in (0.1, 1e22, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0) for spec in ("", ".3f", "e", "g", ".17g", "%")])
print([float(t) for t in ("1e-400", "1.7976931348623159e308", "0x1p-3" if False else "0.125", "nan", "-inf", "123456789012345678")])
print([float.hex(x) for x in (0.1, math.pi, 1e-310)], float.fromhex("0x1.8p1"), round(2.675, 2), 10 ** 40 % 7, pow(3, 1000, 10007))
for f in (math.sin, math.cos, math.tan, math.exp, math.expm1, math.log, math.log1p, math.log2, math.sqrt, math.gamma, math.lgamma, math.erf, math.asinh, math.atan):
    print(f.__name__, [repr(f(x)) for x in (0.1, 0.5, 1.5, 3.25)])
print(math.fmod(7.5, 2), math.hypot(3, 4, 12), math.ldexp(0.5, 10), math.frexp(10.0), math.fsum([0.1] * 10), math.comb(50, 25), cmath.exp(1j), cmath.sqrt(-2))
decimal.getcontext().prec = 60
print(decimal.Decimal(2).sqrt(), decimal.Decimal("1") / 7, decimal.Decimal(1).exp(), decimal.Decimal("12.345").quantize(decimal.Decimal(".01")))
print(fractions.Fraction(22, 7) + fractions.Fraction("1.25"), statistics.stdev([1, 2, 4, 8]))
print(re.findall(r"(?P<y>\d{4})-(\d\d)", "2024-05 and 1999-12"), re.sub(r"\b(\w)(\w*)", lambda m: m[1].upper() + m[2], "the äpfel of zürich"), re.split(r"[,;]\s*", "a, b;c"), re.fullmatch(r"(a+)+$", "a" * 20 + "b"))
zone = zoneinfo.ZoneInfo("Europe/Berlin")
for stamp in (0, 1_711_846_799, 1_711_846_800, 1_729_990_800, 2 ** 32):
    moment = datetime.datetime.fromtimestamp(stamp, zone)
    print(moment.isoformat(), moment.tzname(), moment.utcoffset(), moment.strftime("%A %d %B %Y %j %U %p"))
os.environ["TZ"] = "America/New_York"
time.tzset()
print(time.tzname, time.timezone, time.localtime(1_710_054_000), time.strftime("%c %x %X", time.gmtime(86400 * 365)), time.mktime((2024, 7, 1, 12, 0, 0, 0, 0, -1)))
print(datetime.datetime.strptime("17 May 2024 13:37", "%d %B %Y %H:%M"), calendar.month(2024, 2), datetime.date(2024, 12, 30).isocalendar())
data = {"text": "ä\u2028\U0001f600", "numbers": [1, 2.5, -1e-7, 10 ** 20], "none": None, "nested": {"a": [True, False]}}
text = json.dumps(data, sort_keys=True)
print(text, json.loads(text) == data, json.dumps(data, indent=1, ensure_ascii=False))
print(pickle.loads(pickle.dumps(data)) == data, struct.pack("<hIqd4s", -2, 3, -4, 1.5, b"ab"), struct.unpack(">f", b"\x40\x49\x0f\xdb"), struct.calcsize("@bhilqP"))
blob = bytes(range(256)) * 300
for pack, unpack in ((zlib.compress, zlib.decompress), (bz2.compress, bz2.decompress), (lzma.compress, lzma.decompress), (lambda b: gzip.compress(b, mtime=0), gzip.decompress)):
    packed = pack(blob)
    print(len(packed), hashlib.md5(packed).hexdigest(), unpack(packed) == blob)
for name in ("md5", "sha1", "sha256", "sha512", "blake2b", "sha3_256"):
    print(name, hashlib.new(name, blob).hexdigest()[:32])
print(zlib.crc32(blob), binascii.hexlify(b"ab"), base64.b85encode(b"hello world"))
print(unicodedata.name("é"), unicodedata.normalize("NFD", "é").encode(), "ß".upper(), "İ".lower().encode(), "日本".encode("utf-16-le"), "äö".encode("latin-1"), b"\xff\xfe".decode("utf-8", "replace"), "x\ud800".encode("utf-8", "surrogateescape" if False else "backslashreplace"))
os.environ["LC_ALL"] = "C.UTF-8"
print(locale.setlocale(locale.LC_ALL, ""), locale.localeconv()["decimal_point"], locale.getlocale(), locale.strcoll("a", "B") > 0)
random.seed(1234)
print([random.randrange(1000) for _ in range(8)], random.random(), random.gauss(0, 1), random.sample(range(100), 5))
base = sqlite3.connect(":memory:")
base.execute("create table t (a integer, b text, c real)")
base.executemany("insert into t values (?, ?, ?)", [(i, f"row {i}", i / 3) for i in range(100)])
print(base.execute("select sum(a), max(b), avg(c), count(*) from t where a % 7 = 3").fetchall(), base.execute("select printf('%08.3f', c) from t limit 2").fetchall())
out = io.StringIO()
csv.writer(out).writerows([["a", 'q"uote'], [1, "new\nline"]])
print(repr(out.getvalue()), list(csv.reader(io.StringIO(out.getvalue()))))
libc = ctypes.CDLL(None)
libc.strtod.restype = ctypes.c_double
print(libc.strlen(b"twelve chars"), libc.strtod(b"2.5e3xyz", None), libc.abs(-5), ctypes.sizeof(ctypes.c_long))
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
numbers = (ctypes.c_int * 6)(5, 3, 9, -1, 7, 0)
libc.qsort(numbers, len(numbers), ctypes.sizeof(ctypes.c_int), compare(lambda a, b: a[0] - b[0]))
print(list(numbers), heapq.nsmallest(3, [5, 1, 4, 2]), bisect.bisect([1, 3, 5], 4), array.array("d", [1.5, 2]).tobytes().hex())
print(textwrap.fill("lorem ipsum dolor sit amet " * 4, 40), string.Template("$a-$b").substitute(a=1, b=2), functools.reduce(lambda a, b: a * b, range(1, 20)), list(itertools.combinations("abcd", 2))[:4], collections.Counter("mississippi").most_common(2))
