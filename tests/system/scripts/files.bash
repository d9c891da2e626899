# Programs that make, move and look at files; find; tar and gzip.
export LC_ALL=C
cd "$TMPDIR" || exit
umask 022
mkdir -p tree/a/b tree/c 'tree/d e'
printf 'alpha\n' >tree/a/one; head -c 100000 /dev/zero | tr '\0' x >tree/a/b/big; seq 1000 >tree/c/numbers; : >tree/empty
ln -s a/one tree/link; ln -s nowhere tree/dangling; ln tree/c/numbers tree/hard; mkfifo tree/pipe; chmod 640 tree/a/one; chmod 2755 tree/c
touch -d '2020-02-03 04:05:06 UTC' tree/a/one tree/c/numbers; touch -h -d @1000000000 tree/link; touch -d @1100000000 tree/pipe tree/empty
stat -c '%n %F %a %h %s %Y' tree/a/one tree/c/numbers tree/link tree/pipe tree/empty; stat -L -c '%s %F' tree/link
find tree | sort; find tree -type f -size +1k | sort; find tree -name '*e*' -not -type d | sort; find tree -perm -2000
find tree -newermt 2019-01-01 ! -newermt 2021-01-01 | sort; find tree -type l -printf '%p -> %l\n' | sort; find tree -links 2 -type f | sort
find tree -empty | sort; find tree -maxdepth 1 -type d -exec echo dir {} \; | sort; find tree -type f -exec cat {} + | wc -c; find tree -type f -print0 | sort -z | xargs -0 cat | cksum; find tree -regex '.*/[a-c]/.*' | sort
find tree -samefile tree/hard | sort; find tree -xtype l; find tree -depth -name b -prune -o -type f -print0 | sort -z | tr '\0' '\n'; find nowhere 2>&1; echo "find: $?"
ls tree; ls -A1F tree; ls -R tree | head -n 12; ls -ld tree/c | cut -c1-10; ls --full-time --time-style=+%s tree/a/one | cut -d' ' -f1,2,5-; ls -S tree/a/b tree/c; ls no-such 2>&1; echo "ls: $?"
cp -a tree copy && diff -r --no-dereference tree copy 2>&1 | head; stat -c '%a %Y %h' copy/a/one copy/hard; cp -r tree/a plain; cp tree/a . 2>&1; cp -l tree/a/one linked; stat -c %h linked
cp -s "$PWD/tree/a/one" symlinked; cat symlinked; mv linked moved; ls linked 2>&1; mv moved plain; ls plain; mv -n plain/one plain/b; install -D -m 711 tree/a/one made/deep/file; stat -c %a made/deep/file
mv tree/a/one tree/nowhere/x 2>&1; rm tree 2>&1; rm -r plain; ls plain 2>&1; rmdir tree 2>&1; rm -rf made; mkdir tree 2>&1; unlink symlinked; ls
realpath tree/a/../link | sed "s,$TMPDIR,T,"; readlink tree/link; readlink -f tree/a/.. | sed "s,$TMPDIR,T,"; basename /x/y.tar .tar; dirname /x/y/z; pwd | sed "s,$TMPDIR,T,"
ln -sf loop loop; cat loop 2>&1; cd tree && cd ../copy && cd - | sed "s,$TMPDIR,T,"; cd ..
dd if=tree/a/b/big of=part bs=1000 skip=3 count=2 2>/dev/null; wc -c part; dd if=/dev/zero of=sparse bs=1 count=1 seek=1000000 2>/dev/null; stat -c %s sparse; truncate -s 10 part; wc -c <part; truncate -s +5 part; cksum part
cat >tree/a/new <<<new; touch -r tree/a/one tree/a/new; stat -c %Y tree/a/new; test tree/c/numbers -ef tree/hard && echo same; [ tree/a/b/big -nt tree/a/one ] && echo newer; [ -p tree/pipe ] && [ -L tree/link ] && [ ! -e tree/dangling ] && echo kinds
(cat tree/pipe & echo through >tree/pipe; wait); mktemp -u XXXX | wc -c; mktemp -d -p . abcXXXXXX | sed 's/......$/X/'; test -w tree && echo writable; du -sb tree/c | cut -f1; du --apparent-size -b -a tree/a | sort -n | cut -f1
chmod u=rw,g=,o=r tree/empty; stat -c %A tree/empty; chmod -R a+X tree; chmod +t tree; stat -c %A tree; chown 1000:100 tree/empty; stat -c '%u %g %U' tree/empty; chgrp users tree/empty; stat -c %G tree/empty; ln tree tree2 2>&1
tar -cf t.tar tree copy && tar -tf t.tar | sort | md5sum; mkdir out && tar -xpf t.tar -C out && diff -r --no-dereference tree out/tree 2>&1 | grep -v fifo; stat -c '%a %Y %h' out/tree/a/one out/tree/hard
tar -czf t.tgz --exclude=copy/c tree copy; tar -tzf t.tgz | wc -l; tar -tzf t.tgz tree/c; tar -xzOf t.tgz tree/a/one; tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - tree/a | sha256sum; tar -tf no.tar 2>&1 | head -n 1
tar -cf - tree | (mkdir pipe && cd pipe && tar -xf -); diff -r --no-dereference tree pipe/tree 2>&1 | grep -v fifo; tar -rf t.tar part && tar -tf t.tar part; tar --delete -f t.tar part; tar -df t.tar tree 2>&1; tar -xf t.tar --strip-components=2 -C pipe tree/a/b/big; ls pipe
gzip -k tree/a/b/big && gzip -l tree/a/b/big.gz | tail -n 1 | awk '{ print $2 }'; gunzip -c tree/a/b/big.gz | cmp - tree/a/b/big && echo round; gzip -9n <tree/c/numbers | sha256sum; gzip -t tree/a/b/big.gz && echo sound; head -c 50 tree/a/b/big.gz | gzip -dc 2>&1 >/dev/null; zcat tree/a/b/big.gz | wc -c; gzip -d <part 2>&1
head -c 300000 /dev/urandom >noise; gzip <noise | gunzip | cmp - noise && echo noise; tar -cf - noise | gzip -1 | tar -xzf - -O | cmp - noise && echo tar-noise
sync; df . >/dev/null && echo df; cat /etc/hostname; id -un; id -G root; whoami; getconf PAGE_SIZE 2>/dev/null; printenv HOME; env -i A=b env; nice -n 5 true && echo nice; nohup true 2>/dev/null && echo nohup; test -t 0 || echo "no terminal"; tty; arch; logname 2>&1 | head -n 1 | cut -c1-8; groups
