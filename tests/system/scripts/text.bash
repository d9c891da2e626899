# Programs that read text and write text.
cd "$TMPDIR" || exit
export TZ=Europe/Berlin
cat >poem <<'END'
The quick brown fox
jumps over the lazy dog.
	Tabs	and  spaces
Zürich, naïve, 日本語
repeat repeat repeat

last line, 12.5 and -3e2
END
for locale in C C.UTF-8; do
    export LC_ALL=$locale
    echo "== $locale"
    wc poem; wc -L -m poem
    grep -n 'o' poem; grep -c . poem; grep -iE '(quick|LAZY).*(fox|dog)' poem; grep -o 're[a-z]*' poem | uniq -c
    grep -vE '^$' poem | grep -w line; grep -P '\d+\.\d' poem; grep -F 'dog.' poem; grep -E '^(.).*\1$' poem
    grep '[[:upper:]][[:lower:]]' poem; grep -c 'Z.rich' poem; printf 'a\0b\n' | grep -a b | od -c
    sed -n '2,3p;$=' poem; sed 's/\(quick\) \(brown\)/\2 \1/; s/o/0/2g; /^$/d; y/abc/ABC/' poem
    sed -E 's/([a-z]+) ([a-z]+)/\u\1 \U\2\E!/; 1i\
inserted
$a appended' poem; sed -n '/jumps/{n;l;}' poem; printf '1\n2\n3\n4\n' | sed -n 'H;${x;s/\n/,/g;p}'
    cut -c1-5 poem; cut -d' ' -f2- poem; tr 'a-z' 'A-Z' <poem; tr -cd '[:digit:]\n' <poem; tr -s ' ' <poem
    sort poem; sort -r -k2 poem; sort -f poem; rev <poem 2>/dev/null; expand -t4 poem; fold -w 10 poem; fold -s -w 12 poem
    od -An -tx1 -c poem | head -n 8; nl -ba poem; pr -t -2 poem; fmt -w 30 poem; cat -A poem; tac poem
    expr match 'Zürich 8001' '.*\([0-9]\{4\}\)'; expr length Zürich; expr index abcdef dx; expr 17 '*' 3 % 7
    printf '%s\n' ä b Z a é A | sort; printf '%5s|%-5s|%.2s|\n' ä ä äöü
done
seq 1 20 | paste - - - -; seq 5 | paste -sd,; seq -w 8 11; seq 1 0.25 2; seq 10 -3 0
printf '3\n10\n2\n1e2\n-4\n' | sort -n; printf '3\n10\n2\n1e2\n-4\n' | sort -g; printf '1K\n2M\n3\n' | sort -h
printf 'v1.10\nv1.9\nv1.2\n' | sort -V; printf 'b 2\na 2\nc 1\n' | sort -k2,2n -k1,1r; printf 'x\ny\nx\n' | sort -u | uniq
printf '%s\n' b a c a | sort | uniq -c | sort -rn; printf 'a 1\nb 2\n' >left; printf 'a x\nc y\n' >right
join left right; join -a1 -e- -o 0,1.2,2.2 left right; comm <(sort left) <(sort right); diff -u left right | tail -n +3
diff left right; cmp left right; diff -y -W 30 left right; split -l 1 left part.; cat part.*; csplit -s poem /lazy/ /last/; wc -l xx*
head -c 20 poem | md5sum; sha1sum poem; sha256sum poem; sha512sum poem | cut -c1-32; cksum poem; sum poem; b2sum poem | cut -c1-32
base64 poem | head -n 2; base64 poem | base64 -d | cmp - poem && echo same; base32 <<<hello; basenc --base16 <<<hi
factor 1234567890 97 18446744073709551615; numfmt --to=iec 123456789; numfmt --from=si 1.5M; tsort <<<'a b b c a d'
date -u -d @1700000000 '+%F %T %A %j %U %s'; date -d '2024-03-31 03:30' '+%F %T %Z %z'; date -d '2024-02-29 + 1 year' +%F
date -R -d @0; date -d 'next monday 2024-05-15' +%F 2>/dev/null; TZ=America/New_York date -d @1710054000 '+%c'; cal 2>/dev/null || true
awk 'BEGIN { printf "%.3f %d %s %c %5.1e %x\n", 3.14159, 42.9, "s", 65, 12345.678, 255; print substr("hello", 2, 3), index("hello", "l"), length("äöü"), toupper("abc") }'
awk '{ for (i = 1; i <= NF; i++) count[$i]++ } END { for (w in count) if (count[w] > 1) print w, count[w] }' poem
awk -F: '$3 < 5 { print NR": "$1 | "sort -r" } END { close("sort -r"); print NR }' /etc/passwd
awk 'BEGIN { print match("foobar", /o+/), RSTART, RLENGTH; s = "foo"; gsub(/o/, "0", s); print s; n = split("a:b:c", p, ":"); print n, p[3]; print strftime("%Y-%m-%d %H:%M %Z", 86400 * 200), mktime("2024 05 17 12 00 00"); srand(1); x = rand(); print (x >= 0 && x < 1); print sin(1), atan2(1, 2), exp(1), log(10), sqrt(2), int(-3.7), 2 ^ 10, 7 % 3; "echo from-command" | getline line; print line; printf "%s\n", ENVIRON["LC_ALL"]; print length(sprintf("%1000s", "")) }'
gawk 'BEGIN { PROCINFO["sorted_in"] = "@ind_str_asc"; a["x"] = 1; a["b"] = 2; for (k in a) print k; print gensub(/(a)(b)/, "\\2\\1", "g", "abab"), strtonum("0x1f"), and(12, 10), or(12, 10), xor(12, 10); print asorti(a, b), b[1]; exit 3 }'
echo "gawk: $?"
echo 'one two' | xargs -n1 echo arg; printf '%s\0' 'a b' c | xargs -0 -I{} echo '<{}>'; seq 10 | xargs -P4 -n3 | sort; printf 'x\n' | xargs false; echo "xargs: $?"
tee copy <poem | wc -l; cmp poem copy && echo copied; yes no | head -n 2; printf 'a\tb\n' | unexpand; shuf -i 1-5 --random-source=poem 2>/dev/null | sort
column -t <<<$'a bb\nccc d' 2>/dev/null || true; look 2>/dev/null || true; numfmt --grouping 1234567; printf '%d %i %o %u %x %X %e %f %g %%\n' 1 2 8 4 255 255 1.5 2.5 0.0001
less poem | head -n 2; file -b poem /bin/true /usr/lib/python3.11/os.py | cut -c1-30; od -tf4 -N8 poem; od -td2 -w6 -N12 -Ax poem; strings 2>/dev/null; true
