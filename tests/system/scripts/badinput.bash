# Bad input: an errno or a message, never a hang, nor a crash of anything but that program.
export LC_ALL=C
cd "$TMPDIR" || exit 1
say() { "$@" 2>&1 | sed -e "s,$TMPDIR,T,g" -e 's,^/[^:]*bash: ,bash: ,' -e 's/line [0-9]*: //'; echo "status ${PIPESTATUS[0]}"; }

echo == ELF files cut short
for size in 0 1 4 16 63 64 100 200 1000 5000; do
    head -c $size /bin/true > cut; chmod +x cut
    (./cut) > cut.out 2>&1; status=$?
    # From where on a file is a program that dies of a signal is the kernel's affair.
    if [ $status -ge 126 ]; then echo "$size refused or killed"; else echo "$size status $status"; fi
done
echo == a binary run as a script
printf '\177ELF\001\002\003garbage\000\001\002' > binary; chmod +x binary
(./binary) > out 2>&1; [ $? -ge 126 ] && echo refused
head -c 300 /bin/true > text.sh; bash text.sh > out 2>&1; [ $? -ne 0 ] && echo refused
echo == interpreters of scripts
printf '#!/no/such/interpreter\n' > a; printf '#!%s/loop\n' "$TMPDIR" > loop; printf '#!\n' > empty; printf '#!/bin/echo -x y\nq' > argument
chmod +x a loop empty argument
(./a) 2> /dev/null; echo "status $?"
python3 -c 'import os
for name in ["./a", "./loop", "./absent", "/tmp", "./plain"]:
    open("plain", "w").close()
    try: os.execv(name, [name])
    except OSError as error: print(name, error.errno)'
say ./argument one two | sed 's,\./,,'
echo == long paths
name=$(printf 'x%.0s' $(seq 300)); path=$(printf '/x%.0s' $(seq 2500))
say cat "$name" | sed 's/x\{100,\}/XXX/'; say cat "$path" | sed 's,\(/x\)\{100\,\},XXX,'; say mkdir "$name" | sed 's/x\{100,\}/XXX/'
say ls "$path" | sed 's,\(/x\)\{100\,\},XXX,'; say touch "$path" | sed 's,\(/x\)\{100\,\},XXX,'
ln -s knot knot; say cat knot
echo == long arguments
python3 -c 'import os, subprocess
for count, size in [(1, 131071), (1, 131072), (1000, 1000), (20, 100000)]:
    try: print(count, size, subprocess.run(["/bin/true"] + ["y" * size] * count).returncode)
    except OSError as error: print(count, size, "errno", error.errno)'
echo == closed standard streams
echo text > file
for closed in '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' '<&- >&- 2>&-' ''; do
    eval "cat file $closed" > out 2> err; echo "cat $closed: $? $(cat out) $(cat err)"
    eval "/bin/echo words $closed" > out 2> err; echo "echo $closed: $? $(cat out) $(cat err)"
    eval "python3 -c 'import sys; sys.exit(4)' $closed" > out 2> err; echo "python3 $closed: $?"
    eval "sort $closed" < file > out 2> err; echo "sort $closed: $? $(cat out)"
done
echo == no room
say cp file /dev/full; say dd if=/dev/zero of=/dev/full count=1 status=none
/bin/echo more > /dev/full; echo "status $?"
python3 -c 'import sys
try:
    with open("/dev/full", "w") as file: file.write("x" * 100000)
except OSError as error: print(error.errno)'
echo == and all is well
echo done
