# The shell's own language in dash, with no other program.

for n in 1 2 3; do
    case $n in
        1) echo one ;;
        [23]) echo "several: $n" ;;
    esac
done

count() {
    local i=0
    while [ $i -lt "$1" ]; do
        i=$((i + 1))
        printf '%s ' $i
    done
    echo
}
count 5
printf '%5d|%-5s|%05x|%o|%c\n' 42 ab 255 8 xyz
echo "$((7 * 6)) $((1 << 20)) $((-7 / 2)) $((-7 % 3)) $((0x1f)) $((1 ? 2 : 3))"

# Pipelines, subshells and their status.
echo a b c | (read -r first rest; echo "$rest $first")
(exit 3)
echo "status $?"
! (exit 1)
echo "not: $?"
{ echo out; echo err >&2; } 2>&1 | while read -r line; do echo "<$line>"; done
true | false
echo "pipe: $?"

# Here-documents.
name=world
while read -r line; do echo "[$line]"; done <<END
hello $name
$(echo command) \$name
END
while read -r line; do echo "[$line]"; done <<'END'
$name stays
END

# Parameters.
path=/usr/lib/file.tar.gz
echo "${path##*/} ${path%.*} ${path%%.*} ${path#/} ${#path} ${none:-default} ${none:+set} ${path:+set}"
set -- x 'y z' w
echo $# "$*" "$@"
shift 2
echo "$1"
IFS=:
set -- $(echo a:b::c)
echo $#
unset IFS

# Globs, in a folder of its own: names come sorted.
cd "$TMPDIR" || exit
for file in b a c.txt .hidden 'd e'; do : >"$file"; done
echo *
echo ?
echo *.txt .h*
echo [!a]
echo no-such-*

# Background jobs and traps.
(exit 7) &
wait $!
echo "job: $?"
trap 'echo caught USR1' USR1
kill -USR1 $$
trap 'echo bye' EXIT
trap - USR1
(trap 'echo term; exit 9' TERM; kill -TERM $(sh -c 'echo $PPID'); :)
echo "subshell: $?"
(kill -KILL $(sh -c 'echo $PPID'); :)
echo "killed: $?"

# Redirections.
echo first >f
echo second >>f
exec 3<f
read -r line <&3
echo "3: $line"
read -r line <&3
echo "3: $line"
exec 3<&-
read -r line 2>/dev/null <&3 || echo closed
set -C
(echo x >f) 2>/dev/null || echo noclobber
set +C
(set -e; false; echo never)
echo "set -e: $?"
(set -u; echo "$undefined") 2>/dev/null || echo "set -u"
echo end
