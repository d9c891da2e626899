# Bash's own language: what dash's script does not have.
export LC_ALL=C
cd "$TMPDIR" || exit

# Arrays, both kinds; expansion.
list=(one "two words" three)
list+=(four)
echo "${#list[@]} ${list[1]} ${list[-1]} ${!list[*]}"
printf '<%s>' "${list[@]:1:2}"; echo
declare -A map=([b]=2 [a]=1 [c]=3)
for key in $(printf '%s\n' "${!map[@]}" | sort); do echo "$key=${map[$key]}"; done
unset 'list[1]'
echo "${list[*]}"
word=ochre-system.txt
echo "${word^} ${word^^} ${word/-/ } ${word//s/S} ${word:2:3} ${word: -3} ${word@Q}"
echo {a,b}{1..3} {01..10..3} {z..w}
echo $'tab\there\x21 \u00e4' "${word#*-}"

# Tests, patterns, arithmetic.
[[ $word == *.txt && ! $word < a ]] && echo pattern
if [[ "2024-05-17" =~ ^([0-9]+)-([0-9]+)-([0-9]+)$ ]]; then echo "${BASH_REMATCH[*]:1}"; fi
shopt -s extglob nullglob globstar
[[ foobar == @(foo|baz)+(bar) ]] && echo extglob
((n = 5 ** 3, n += 0x10))
echo "$n $((n << 2)) $((n % 7)) $((16#ff)) $((2#1011))"
for ((i = 0; i < 3; i++)); do printf '%d ' "$i"; done; echo
case abc in a*) echo first ;;& *c) echo second ;& x) echo fallen ;; *) echo never ;; esac

# Globs.
mkdir -p d/e/f
touch d/1 d/e/2 d/e/f/3 'd/sp ace' d/.hid
echo d/* d/**/3 none*
(GLOBIGNORE='d/1'; echo d/*)
(shopt -s dotglob; echo d/*)

# Here-documents, here-strings, process substitution.
cat <<END
sum: $((1 + 2)) ${map[a]} $(echo "inner")
END
cat <<-'END'
	tabs go, $this stays
	END
read -r a b <<<"first second third"
echo "$a/$b"
diff <(printf '1\n2\n3\n') <(printf '1\nx\n3\n')
echo "diff: $?"
echo to-substitution > >(tr a-z A-Z >upper; mv upper done)
while [ ! -e done ]; do sleep 0.01; done
cat done
mapfile -t lines < <(seq 3)
echo "${lines[@]}" "${#lines[@]}"

# Pipelines, jobs, traps.
set -o pipefail
false | true
echo "pipefail: $? ${PIPESTATUS[*]}"
set +o pipefail
seq 1 10000 | tail -n +100 | head -n 5 | paste -sd+ | bc 2>/dev/null || seq 100 104 | paste -sd+
yes | head -n 3
sleep 0.05 & sleep 0.01 &
wait
echo "waited: $?"
(exit 3) & first=$!
(exit 4) & second=$!
wait $second; echo "second: $?"
wait $first; echo "first: $?"
(exit 5) &
wait -n; echo "any: $?"
coproc up { tr a-z A-Z; }
echo hello >&"${up[1]}"
eval "exec ${up[1]}>&-"
cat <&"${up[0]}"
wait "$up_PID" 2>/dev/null
trap 'echo "exit $?"' EXIT
trap 'echo "usr1"' USR1
kill -USR1 $$
( trap 'echo "error in $BASH_COMMAND"' ERR; false; true )
(trap 'echo term; exit 9' TERM; kill -TERM $BASHPID; sleep 5)
echo "subshell: $?"
bash -c 'kill -SEGV $$'
echo "segv: $?"
timeout 0.1 sleep 5
echo "timeout: $?"
trap '' PIPE; (trap - PIPE; yes 2>/dev/null) | head -n 1

# Functions, scope, getopts, printf.
recurse() { local depth=$1; ((depth > 0)) && recurse $((depth - 1)); echo -n "$depth "; }
recurse 4; echo
while getopts ab:c flag -a -b value -c rest; do echo "$flag ${OPTARG-}"; done
printf '%-8s|%8.3f|%+d|%x|%q|%b\n' left 3.14159 7 255 'a b$c' 'x\ty'
printf -v text '%03d' 7; echo "$text"
printf '%(%Y-%m-%d %H:%M:%S)T\n' 86400
declare -i number=3+4; echo "$number"
declare -n ref=word; ref=changed; echo "$word"
readonly fixed=1
(fixed=2) 2>/dev/null || echo readonly
type -t cd ls recurse if
hash -r; command -v sort
ulimit -n >/dev/null && echo ulimit
umask 027; touch masked; stat -c %a masked; umask 022
exec 5>redirected; echo five >&5; exec 5>&-; cat redirected
{ echo a; echo b >&2; } 2>&1 >/dev/null
cat nonexistent 2>&1
echo "cat: $?"
./d 2>/dev/null; echo "directory: $?"
not-a-command 2>/dev/null; echo "missing: $?"
printf 'echo no interpreter $1\n' >script; chmod +x script; ./script x
printf '#!/bin/sh -e\nfalse\necho never\n' >script; ./script; echo "hash-bang: $?"
echo "$BASH_SUBSHELL $(echo "$BASH_SUBSHELL")" $LINENO
